"""Several workers of one service serve the same versions, and switch at the same moment."""

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.errors import NotFoundError, UnavailableError
from service.repository.model_policy import POLICY, Policy
from service.repository.model_store import Store
from service.runtime.lifecycle import Lifecycle
from service.runtime.load_error import Fault, LoadError
from service.runtime.servable import Servable
from service.runtime.version_state import State
from service.runtime.worker_agreement import ServingPlan
from tests.lifecycles import Start, live, look_some_times, servable, states
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually

HoldUp = Callable[[Lifecycle], threading.Event]


def test_workers_flip_when_all_have_proved(tmp_path: Path, make_lifecycle: Start) -> None:
    publish_affine(tmp_path)
    workers = [make_lifecycle(workers_folder=tmp_path / ".workers") for _ in range(2)]
    others: list[State | None] = []

    def watch(one: Lifecycle, other: Lifecycle) -> None:
        while live(one) != 2:
            time.sleep(0.001)
        others.append(states(other).get(2))

    watchers = [threading.Thread(target=watch, args=pair) for pair in (workers, workers[::-1])]
    for watcher in watchers:
        watcher.start()
    publish_affine(tmp_path, bias=1.0)
    for watcher in watchers:
        watcher.join(60)
    assert len(others) == 2
    assert set(others) <= {State.PROVED, State.AVAILABLE}


def test_nobody_flips_while_one_worker_cannot(tmp_path: Path, make_lifecycle: Start) -> None:
    publish_affine(tmp_path)
    go = threading.Event()

    def hesitate(model: str, version: int, folder: Path) -> Servable:
        if version == 2:
            assert go.wait(60)
        return servable(model, version, folder)

    quick = make_lifecycle(workers_folder=tmp_path / ".workers")
    slow = make_lifecycle(workers_folder=tmp_path / ".workers", load=hesitate)
    publish_affine(tmp_path, bias=1.0)
    eventually(lambda: State.LOADING in (states(slow).get(2), states(quick).get(2)))
    look_some_times(quick)
    look_some_times(slow)
    assert (live(quick), live(slow)) == (1, 1)
    go.set()
    eventually(lambda: (live(quick), live(slow)) == (2, 2))


def test_what_one_worker_refuses_all_refuse(tmp_path: Path, make_lifecycle: Start) -> None:
    publish_affine(tmp_path)
    attempts = []

    def fail(model: str, version: int, folder: Path) -> Servable:
        if version == 2:
            attempts.append(version)
            raise LoadError(Fault.GOLDEN, "It is bad.")
        return servable(model, version, folder)

    both = [make_lifecycle(workers_folder=tmp_path / ".workers", load=fail) for _ in range(2)]
    publish_affine(tmp_path)
    for lifecycle in both:
        eventually(lambda each=lifecycle: states(each).get(2) is State.FAILED)
        assert lifecycle.status("affine")[0].reason == "It is bad."
        assert live(lifecycle) == 1
    assert attempts == [2]


def test_a_worker_that_comes_later_serves_what_the_others_serve(
    tmp_path: Path, make_lifecycle: Start
) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path, bias=1.0)
    policy = tmp_path / "affine" / POLICY
    policy.write_text('{"serve": {"versions": [1]}, "labels": {"old": 1}}')
    first = make_lifecycle(workers_folder=tmp_path / ".workers")
    assert live(first) == 1
    second = make_lifecycle(workers_folder=tmp_path / ".workers")
    assert live(second) == 1
    assert second.labels("affine") == {"old": 1}


def test_a_worker_that_cannot_have_what_the_others_serve_serves_what_it_can(
    tmp_path: Path, make_lifecycle: Start
) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path, bias=1.0)
    first = make_lifecycle(workers_folder=tmp_path / ".workers")
    shutil.rmtree(tmp_path / "affine" / "2")
    second = make_lifecycle(workers_folder=tmp_path / ".workers")
    eventually(lambda: second.serves("affine"))
    assert (live(first), live(second)) == (2, 1)
    # The next version brings them together again.
    assert publish_affine(tmp_path, bias=2.0) == 3
    eventually(lambda: live(first) == live(second) == 3)


def test_workers_unload_and_load_a_model_together(tmp_path: Path, make_lifecycle: Start) -> None:
    publish_affine(tmp_path)
    policy = tmp_path / "affine" / POLICY
    both = [make_lifecycle(workers_folder=tmp_path / ".workers") for _ in range(2)]
    policy.write_text('{"unloaded": true}')
    assert both[0].reconcile_now("affine", 60)
    for lifecycle in both:
        eventually(lambda each=lifecycle: not each.serves("affine"))
        eventually(lambda each=lifecycle: states(each) == {1: State.END})
        assert not lifecycle.ready
        with pytest.raises(NotFoundError, match="Model 'affine' is unloaded"):
            live(lifecycle)

    # One that comes later serves nothing either, and is not waited for.
    third = make_lifecycle(workers_folder=tmp_path / ".workers")
    assert not third.serves("affine")

    policy.write_text("{}")
    assert both[1].reconcile_now("affine", 60)
    for lifecycle in (*both, third):
        eventually(lambda each=lifecycle: each.serves("affine"))
        assert live(lifecycle) == 1


def test_a_worker_whose_lifecycle_is_stuck_is_not_waited_for_and_catches_up(
    tmp_path: Path, make_lifecycle: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_affine(tmp_path)
    quick, stuck = (
        make_lifecycle(workers_folder=tmp_path / ".workers", silent_s=0.5) for _ in range(2)
    )
    go, real = threading.Event(), Store.versions

    def hang(store: Store, model: str) -> dict[int, Path]:
        if threading.current_thread() is stuck._thread:
            go.wait()
        return real(store, model)

    monkeypatch.setattr(Store, "versions", hang)
    publish_affine(tmp_path, bias=1.0)

    try:
        eventually(lambda: has_gone_on(quick))
        # It does not answer with what the others have left behind.
        with pytest.raises(UnavailableError, match="catches up"):
            live(stuck)
    finally:
        # A lifecycle that never went on could not be stopped.
        go.set()
    eventually(lambda: has_gone_on(stuck))


def test_a_worker_that_was_stopped_between_its_looks_never_answers_with_what_it_missed(
    tmp_path: Path, make_lifecycle: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.runtime.lifecycle._BEAT_S", 0.05)
    publish_affine(tmp_path)
    quick = make_lifecycle(workers_folder=tmp_path / ".workers", silent_s=0.5)
    # Its next look is far away, so it is not late for it.
    stopped = make_lifecycle(
        workers_folder=tmp_path / ".workers", silent_s=0.5, poll_interval_s=3600.0
    )
    go, real = threading.Event(), stopped._group.beat

    def hang() -> bool:
        if threading.current_thread() is stopped._thread:
            go.wait()
        return real()

    monkeypatch.setattr(stopped._group, "beat", hang)
    publish_affine(tmp_path, bias=1.0)
    try:
        eventually(lambda: has_gone_on(quick))
        with pytest.raises(UnavailableError, match="catches up"):
            live(stopped)
    finally:
        go.set()
    assert first_answer(stopped) == 2


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[HoldUp]:
    """Return a function that holds a worker up between what it reads: it knows versions and policy,
    and will ask what the others have decided when the event is set."""
    go = threading.Event()

    def hold_up(worker: Lifecycle) -> threading.Event:
        is_there, policy = threading.Event(), worker._store.policy

        def hang(model: str) -> Policy:
            found = policy(model)
            is_there.set()
            go.wait()
            return found

        monkeypatch.setattr(worker._store, "policy", hang)
        assert is_there.wait(60)
        return go

    yield hold_up
    # A lifecycle that never went on could not be stopped.
    go.set()


def test_what_was_decided_after_a_worker_has_listed_versions_is_followed(
    tmp_path: Path, make_lifecycle: Start, held_up: HoldUp
) -> None:
    publish_affine(tmp_path)
    quick, slow = (
        make_lifecycle(workers_folder=tmp_path / ".workers", silent_s=0.5) for _ in range(2)
    )
    go = held_up(slow)
    publish_affine(tmp_path, bias=1.0)
    eventually(lambda: has_gone_on(quick))
    go.set()
    assert first_answer(slow) == 2


def test_what_was_decided_after_a_worker_has_read_the_policy_is_not_undone(
    tmp_path: Path, make_lifecycle: Start, held_up: HoldUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path, bias=1.0)
    policy = tmp_path / "affine" / POLICY
    policy.write_text('{"serve": {"versions": [1, 2]}}')
    quick, slow = (
        make_lifecycle(workers_folder=tmp_path / ".workers", silent_s=0.5) for _ in range(2)
    )
    wanted: list[tuple[int, ...]] = []
    propose = slow._group.propose

    def note(model: str, plan: ServingPlan, *, followed: int) -> ServingPlan | None:
        wanted.append(plan.versions)
        return propose(model, plan, followed=followed)

    monkeypatch.setattr(slow._group, "propose", note)
    go = held_up(slow)
    policy.write_text('{"serve": {"versions": [1]}}')
    eventually(lambda: has_gone_on(quick, to=1))
    go.set()
    eventually(lambda: has_gone_on(slow, to=1))
    look_some_times(slow)
    assert wanted == []


def test_what_was_proposed_after_a_worker_has_listed_versions_is_prepared(
    tmp_path: Path, make_lifecycle: Start, held_up: HoldUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_affine(tmp_path)
    quick, slow = (make_lifecycle(workers_folder=tmp_path / ".workers") for _ in range(2))
    withdrawn: list[object] = []
    monkeypatch.setattr(slow._group, "withdraw", lambda *of: withdrawn.append(of))
    go = held_up(slow)
    publish_affine(tmp_path, bias=1.0)
    eventually(lambda: quick._group.proposal("affine") is not None)
    go.set()
    eventually(lambda: live(quick) == live(slow) == 2)
    assert withdrawn == []


def first_answer(lifecycle: Lifecycle) -> int:
    """Wait until a worker answers, and return the version that does."""
    answers: list[int] = []

    def has_answered() -> bool:
        with contextlib.suppress(UnavailableError):
            answers.append(live(lifecycle))
        return bool(answers)

    eventually(has_answered)
    return answers[0]


def has_gone_on(lifecycle: Lifecycle, to: int = 2) -> bool:
    """Whether a version answers; so short a bound may take any worker for stuck meanwhile."""
    with contextlib.suppress(UnavailableError):
        return live(lifecycle) == to
    return False
