import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.runtime.board import Board, Plan, Refusal

ONE, TWO = Plan((1,)), Plan((1, 2), {"stable": 1})
Join = Callable[[], Board]


@pytest.fixture
def join(tmp_path: Path) -> Iterator[Join]:
    boards: list[Board] = []

    def make() -> Board:
        board = Board(tmp_path / "board")
        board.join()
        boards.append(board)
        return board

    yield make
    for board in boards:
        board.leave()


def test_a_worker_alone_decides_at_once() -> None:
    board = Board(None)
    board.join()
    decision = board.vote("m", TWO)
    assert decision is not None
    assert (decision.number, decision.plan) == (1, TWO)
    assert decision.at <= time.monotonic()
    assert board.decision("m") == decision
    assert board.decision("other") is None
    board.leave()


def test_all_must_want_the_same(join: Join) -> None:
    first, second = join(), join()
    assert first.vote("m", ONE) is None
    assert second.vote("m", TWO) is None
    assert first.decision("m") is None
    decision = first.vote("m", TWO)
    assert decision is not None
    assert decision.plan == TWO
    assert second.decision("m") == decision
    assert second.vote("m", TWO) == decision
    # There is time for the other to act at the same moment.
    assert decision.at > time.monotonic() - 0.05


def test_a_withdrawn_vote_does_not_count(join: Join) -> None:
    first, second = join(), join()
    first.vote("m", ONE)
    first.withdraw("m")
    assert second.vote("m", ONE) is None
    assert first.vote("m", ONE) is not None


def test_who_leaves_is_not_waited_for(join: Join) -> None:
    first, second = join(), join()
    assert first.vote("m", ONE) is None
    second.leave()
    assert first.vote("m", ONE) is not None


def test_who_joins_is_waited_for(join: Join) -> None:
    first = join()
    join()
    assert first.vote("m", ONE) is None


def test_decisions_are_numbered(join: Join) -> None:
    board = join()
    numbers = [board.vote("m", plan) for plan in (ONE, TWO, ONE)]
    assert [decision.number for decision in numbers if decision] == [1, 2, 3]


def test_refusals_are_shared(join: Join) -> None:
    first, second = join(), join()
    first.refuse("m", 3, Refusal("digest", "It is bad."))
    assert second.refusals("m") == {3: Refusal("digest", "It is bad.")}
    assert second.refusals("other") == {}


def test_a_killed_worker_is_not_waited_for_and_holds_no_turn(
    join: Join, tmp_path: Path, repository_root: Path
) -> None:
    script = textwrap.dedent(
        """
        import pathlib, sys, time
        from service.runtime.board import Board
        board = Board(pathlib.Path(sys.argv[1]))
        board.join()
        with board.turn():
            print("ready", flush=True)
            time.sleep(600)
        """
    )
    board = join()
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "board")],
        cwd=repository_root,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert board.vote("m", ONE) is None
        process.kill()
    assert board.vote("m", ONE) is not None
    with board.turn():
        pass
