import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from service.runtime.worker_agreement import Refusal, ServingPlan, WorkerGroup

ONE, TWO = ServingPlan((1,)), ServingPlan((1, 2), {"stable": 1})
Join = Callable[[], WorkerGroup]


@pytest.fixture
def join(tmp_path: Path) -> Iterator[Join]:
    groups: list[WorkerGroup] = []

    def make() -> WorkerGroup:
        group = WorkerGroup(tmp_path / "workers")
        group.join()
        groups.append(group)
        return group

    yield make
    for group in groups:
        group.leave()


def test_a_worker_alone_decides_at_once() -> None:
    group = WorkerGroup(None)
    group.join()
    assert group.propose("m", TWO, followed=0) == TWO
    decision = group.vote("m", TWO, {1: "a", 2: "b"})
    assert decision is not None
    assert (decision.number, decision.plan) == (1, TWO)
    assert decision.at <= time.monotonic()
    assert group.decision("m") == decision
    assert group.proposal("m") is None
    assert group.decision("other") is None
    group.leave()


def test_a_thread_that_still_writes_does_not_stop_one_from_leaving(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A rollout's thread may write its record while the folder of a worker alone is removed."""
    group = WorkerGroup(None)
    group.join()
    folder, rmdir = group.folder, os.rmdir

    def write_first(path: Any, *, dir_fd: int | None = None) -> None:
        if Path(path) == folder:
            (folder / "late").write_text("")
        rmdir(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "rmdir", write_first)
    group.leave()
    monkeypatch.undo()
    shutil.rmtree(folder)


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
    group = join()
    numbers = []
    for followed, plan in enumerate((ONE, TWO, ONE)):
        assert group.propose("m", plan, followed=followed) == plan
        decision = group.vote("m", plan, {})
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
        from service.runtime.worker_agreement import WorkerGroup
        group = WorkerGroup(pathlib.Path(sys.argv[1]))
        group.join()
        assert group.load_lock.take("m", 1)
        print("ready", flush=True)
        time.sleep(600)
        """
    )
    group = join()
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "workers")],
        cwd=repository_root,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        group.propose("m", ONE, followed=0)
        assert group.vote("m", ONE, {1: "a"}) is None
        assert not group.load_lock.take("m", 1)
        process.kill()
    assert group.vote("m", ONE, {1: "a"}) is not None
    assert group.load_lock.take("m", 1)


def test_nothing_is_decided_while_contents_differ(join: Join) -> None:
    first, second = join(), join()
    first.propose("m", ONE, followed=0)
    assert first.vote("m", ONE, {1: "a"}) is None
    assert second.vote("m", ONE, {1: "b"}) is None
    # Who had the older content loads the newer one, and votes again.
    assert first.vote("m", ONE, {1: "b"}) is not None


def test_a_number_stands_for_one_content(join: Join) -> None:
    first, second = join(), join()
    assert first.claim("m", {1: "a"}, new={1}) == set()
    assert second.contents("m") == {1: "a"}
    assert second.claim("m", {1: "b", 2: "c"}, new={1, 2}) == {1}
    assert second.contents("m") == {1: "a"}
    assert second.claim("m", {1: "a", 2: "c"}, new={1, 2}) == set()
    assert first.contents("m") == {1: "a", 2: "c"}
    # Nobody holds it any more once one has let go and the other has ended.
    first.claim("m", {})
    second.leave()
    assert first.claim("m", {1: "b"}, new={1}) == set()


def test_who_is_silent_is_not_waited_for_but_keeps_its_numbers(tmp_path: Path) -> None:
    first = WorkerGroup(tmp_path / "workers", silent_s=0.2)
    second = WorkerGroup(tmp_path / "workers")
    first.join()
    second.join()
    second.claim("m", {1: "a"}, new={1})
    assert second.load_lock.take("m", 2)
    first.propose("m", ONE, followed=0)
    assert first.vote("m", ONE, {1: "a"}) is None
    assert not first.load_lock.take("m", 2)
    deadline = time.monotonic() + 10
    while (decision := first.vote("m", ONE, {1: "a"})) is None:
        assert time.monotonic() < deadline
        first.beat()
    assert first.load_lock.take("m", 2)
    assert first.claim("m", {1: "b"}, new={1}) == {1}
    # It comes back, finds what was decided, and is waited for again.
    second.beat()
    assert second.decision("m") == decision
    first.propose("m", TWO, followed=1)
    assert first.vote("m", TWO, {}) is None
    first.leave()
    second.leave()


def test_who_was_late_counts_as_silent_until_it_shows_itself_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two it finds out what was decided, while other threads answer requests."""
    now = 100.0
    clock = SimpleNamespace(monotonic=lambda: now)
    monkeypatch.setattr("service.runtime.worker_members.time", clock)
    group = WorkerGroup(tmp_path / "workers", silent_s=10.0)
    group.join()
    found = []
    for seconds in (9.0, 12.0, 1.0):
        now += seconds
        found.append((group.is_silent, group.beat(), group.is_silent))
    assert found == [(False, True, False), (True, False, True), (True, True, False)]
    group.leave()


def test_some_versions_are_loaded_at_once_and_slow_ones_do_not_count(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = join(), join()
    assert first.load_lock.take("a", 1)
    assert not second.load_lock.take("a", 1)
    assert second.load_lock.take("b", 1)
    assert not first.load_lock.take("c", 1)
    second.load_lock.release("b", 1)
    assert first.load_lock.take("c", 1)
    assert not second.load_lock.take("d", 1)
    monkeypatch.setattr("service.runtime.load_lock._SLOW_LOAD_S", 0.0)
    assert second.load_lock.take("d", 1)
    assert not second.load_lock.take("a", 1)


def test_a_load_that_only_runs_lets_others_pass_sooner(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = join(), join()
    assert first.load_lock.take("a", 1)
    assert second.load_lock.take("b", 1)
    assert first.load_lock.holders() == [("a", 1), ("b", 1)]
    monkeypatch.setattr("service.runtime.load_lock._SLOW_RUN_S", 0.0)
    # One that is still being read from disk counts as before.
    assert not first.load_lock.take("c", 1)
    second.load_lock.note_run("a", 1)
    assert not first.load_lock.take("c", 1)
    second.load_lock.note_run("b", 1)
    assert first.load_lock.take("c", 1)
    assert not second.load_lock.take("d", 1)
    # But the same version is loaded by one worker at a time, however long that takes.
    assert not first.load_lock.take("b", 1)
    second.load_lock.release("b", 1)
    assert first.load_lock.holders() == [("a", 1), ("c", 1)]
    first.leave()
    assert second.load_lock.holders() == []


def test_a_folder_that_vanishes_is_made_anew(
    join: Join, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = join(), join()
    first.propose("m", ONE, followed=0)
    first.vote("m", ONE, {})
    decision = second.vote("m", ONE, {})
    assert decision is not None
    shutil.rmtree(tmp_path / "workers")
    assert first.decision("m") is None
    first.beat()
    assert (first.joined, second.joined) == (2, 1)
    first.restore("m", decision)
    # Nothing is decided before the others can have come back.
    first.propose("m", TWO, followed=1)
    assert first.vote("m", TWO, {}) is None
    second.beat()
    assert second.decision("m") == decision
    second.restore("m", decision)
    monkeypatch.setattr("service.runtime.worker_members._REGROUP_S", 0.0)
    assert first.vote("m", TWO, {}) is None
    assert second.vote("m", TWO, {}) is not None


def test_a_lock_whose_owner_was_stopped_is_not_waited_for_without_end(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = join(), join()
    monkeypatch.setattr("service.runtime.worker_members._LOCK_WAIT_S", 0.05)
    with first._members.locked(), pytest.raises(TimeoutError, match="stopped"):
        second.propose("m", ONE, followed=0)
    assert second.propose("m", ONE, followed=0) == ONE
