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
    assert board.propose("m", TWO, followed=0) == TWO
    decision = board.vote("m", TWO, {1: "a", 2: "b"})
    assert decision is not None
    assert (decision.number, decision.plan) == (1, TWO)
    assert decision.at <= time.monotonic()
    assert board.decision("m") == decision
    assert board.proposal("m") is None
    assert board.decision("other") is None
    board.leave()


def test_all_must_have_prepared(join: Join) -> None:
    first, second = join(), join()
    assert first.propose("m", ONE, followed=0) == ONE
    assert first.vote("m", ONE, {1: "a"}) is None
    assert second.decision("m") is None
    decision = second.vote("m", ONE, {1: "a"})
    assert decision is not None
    assert decision.plan == ONE
    assert first.decision("m") == decision
    # There is time for the other to act at the same moment.
    assert decision.at > time.monotonic() - 0.05


def test_the_first_proposal_is_prepared_by_all(join: Join) -> None:
    first, second = join(), join()
    assert first.propose("m", ONE, followed=0) == ONE
    assert second.propose("m", TWO, followed=0) == ONE
    assert second.proposal("m") == ONE
    assert second.vote("m", TWO, {1: "a", 2: "b"}) is None
    assert first.vote("m", ONE, {1: "a"}) is None
    assert second.vote("m", ONE, {1: "a"}) is not None
    # Who has not followed the decision yet proposes nothing.
    assert first.propose("m", TWO, followed=0) is None
    assert second.propose("m", TWO, followed=1) == TWO


def test_a_proposal_that_is_withdrawn_is_not_decided(join: Join) -> None:
    first, second = join(), join()
    first.propose("m", ONE, followed=0)
    first.vote("m", ONE, {1: "a"})
    first.withdraw("m", TWO)
    assert first.proposal("m") == ONE
    first.withdraw("m", ONE)
    assert second.vote("m", ONE, {1: "a"}) is None
    assert second.propose("m", TWO, followed=0) == TWO


def test_who_leaves_is_not_waited_for(join: Join) -> None:
    first, second = join(), join()
    first.propose("m", ONE, followed=0)
    assert first.vote("m", ONE, {1: "a"}) is None
    second.leave()
    assert first.vote("m", ONE, {1: "a"}) is not None


def test_who_joins_is_waited_for(join: Join) -> None:
    first = join()
    first.propose("m", ONE, followed=0)
    join()
    assert first.vote("m", ONE, {1: "a"}) is None


def test_decisions_are_numbered(join: Join) -> None:
    board = join()
    numbers = []
    for followed, plan in enumerate((ONE, TWO, ONE)):
        assert board.propose("m", plan, followed=followed) == plan
        decision = board.vote("m", plan, {})
        assert decision is not None
        numbers.append(decision.number)
    assert numbers == [1, 2, 3]


def test_refusals_are_shared(join: Join) -> None:
    first, second = join(), join()
    first.refuse("m", 3, Refusal("digest", "It is bad."))
    assert second.refusals("m") == {3: Refusal("digest", "It is bad.")}
    assert second.refusals("other") == {}


def test_a_killed_worker_is_not_waited_for_and_holds_no_load_lock(
    join: Join, tmp_path: Path, repository_root: Path
) -> None:
    script = textwrap.dedent(
        """
        import pathlib, sys, time
        from service.runtime.board import Board
        board = Board(pathlib.Path(sys.argv[1]))
        board.join()
        assert board.take_load_lock("m", 1)
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
        board.propose("m", ONE, followed=0)
        assert board.vote("m", ONE, {1: "a"}) is None
        assert not board.take_load_lock("m", 1)
        process.kill()
    assert board.vote("m", ONE, {1: "a"}) is not None
    assert board.take_load_lock("m", 1)
