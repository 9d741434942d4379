"""Versions in and out of service, on real files with real (tiny) SavedModels."""

import gc
import json
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.errors import NotFoundError, UnavailableError
from service.monitoring.metrics import Metrics
from service.repository.policy import POLICY
from service.repository.store import Store
from service.runtime.lifecycle import Lifecycle
from service.runtime.load_error import Fault, LoadError
from service.runtime.loader import Loader
from service.runtime.servable import Servable
from service.runtime.version_state import State
from service.runtime.worker_group import WorkerGroup
from tests.savedmodels.affine import publish_affine, save_affine


class CountingStore(Store):
    """A store that counts how often a model is looked at."""

    looks = 0

    def versions(self, model: str) -> dict[int, Path]:
        self.looks += 1
        return super().versions(model)


MakeLifecycle = Callable[..., Lifecycle]


@pytest.fixture
def make_lifecycle(tmp_path: Path) -> Iterator[MakeLifecycle]:
    started: list[Lifecycle] = []

    def make(
        *,
        quiet_s: float = 0.0,
        workers_folder: Path | None = None,
        load: Any = None,
        step_timeout_s: float = 300.0,
        silent_s: float = 10.0,
        settles: bool = True,
        **options: Any,
    ) -> Lifecycle:
        metrics = Metrics()
        lifecycle = Lifecycle(
            CountingStore(tmp_path),
            WorkerGroup(workers_folder, silent_s=silent_s),
            Loader(load or servable, metrics, step_timeout_s=step_timeout_s),
            metrics,
            poll_interval_s=0.05,
            quiet_s=quiet_s,
            **options,
        )
        lifecycle.start()
        started.append(lifecycle)
        assert not settles or lifecycle.wait_until_settled(60)
        return lifecycle

    yield make
    for lifecycle in started:
        lifecycle.stop()


def servable(model: str, version: int, folder: Path) -> Servable:
    return Servable(model, version, folder, cores=1, most_rows=64, metrics=Metrics())


def eventually(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for ``condition``; the bound is only there so that a failing test ends."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not come true."
        time.sleep(0.02)


def look_some_times(lifecycle: Lifecycle) -> None:
    """Wait until a lifecycle has looked at its models several times from now on."""
    store = lifecycle._store
    assert isinstance(store, CountingStore)
    enough = store.looks + 10
    eventually(lambda: store.looks >= enough)


def states(lifecycle: Lifecycle, model: str = "affine") -> dict[int, State]:
    return {item.version: item.state for item in lifecycle.status(model)}


def live(lifecycle: Lifecycle, model: str = "affine") -> int:
    with lifecycle.lease(model) as servable:
        return servable.version


def answer(servable: Servable) -> float:
    outputs = servable.predict(servable.contract["only_y"], {"x": np.ones((1, 2), np.float32)})
    return float(outputs["y"][0])


def test_the_latest_version_serves_from_the_start(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path, bias=1.0)
    lifecycle = make_lifecycle()
    assert lifecycle.ready
    assert states(lifecycle) == {2: State.AVAILABLE}
    assert live(lifecycle) == 2


def test_a_new_version_replaces_the_old_which_retires(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    lifecycle = make_lifecycle()
    with lifecycle.lease("affine") as old:
        publish_affine(tmp_path, bias=1.0)
        eventually(lambda: live(lifecycle) == 2)
        # The request that began with the old version ends with it.
        assert answer(old) == 3.0
        eventually(lambda: states(lifecycle)[1] is State.DRAINING)
    eventually(lambda: states(lifecycle) == {1: State.END, 2: State.AVAILABLE})
    with lifecycle.lease("affine") as new:
        assert answer(new) == 4.0


def test_a_new_model_appears(tmp_path: Path, make_lifecycle: MakeLifecycle) -> None:
    lifecycle = make_lifecycle()
    assert not lifecycle.ready
    publish_affine(tmp_path, model="late")
    eventually(lambda: lifecycle.ready)
    assert lifecycle.models() == ["late"]


def test_a_bad_version_is_refused_and_the_old_one_stays(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    lifecycle = make_lifecycle()
    shutil.copytree(tmp_path / "affine" / "1", tmp_path / "copy")
    data = tmp_path / "copy" / "variables" / "variables.data-00000-of-00001"
    good = data.read_bytes()
    data.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    (tmp_path / "copy").rename(tmp_path / "affine" / "2")
    eventually(lambda: states(lifecycle).get(2) is State.FAILED)
    reason = lifecycle.status("affine")[0].reason
    assert reason.startswith("variables/variables.data-00000-of-00001 does not have the content")
    assert live(lifecycle) == 1

    # Once its files change it is tried again.
    (tmp_path / "affine" / "2" / "variables" / data.name).write_bytes(good)
    eventually(lambda: live(lifecycle) == 2)


def test_a_bad_version_is_tried_once_while_its_files_stay(
    tmp_path: Path, make_lifecycle: MakeLifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between attempts at what is worth another.
    monkeypatch.setattr("service.runtime.load_attempts._FIRST_RETRY_S", 0.0)
    publish_affine(tmp_path)
    attempts = []

    def fail(model: str, version: int, folder: Path) -> Servable:
        attempts.append(version)
        raise RuntimeError("unforeseen")

    lifecycle = make_lifecycle(load=fail)
    look_some_times(lifecycle)
    assert attempts == [1]
    (item,) = lifecycle.status("affine")
    assert item.state is State.FAILED
    assert "log tells more" in item.reason
    assert not lifecycle.ready
    with pytest.raises(UnavailableError, match="No version of model 'affine' serves yet"):
        live(lifecycle)


def test_at_the_start_the_best_version_that_can_serve_does(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    for _ in range(3):
        publish_affine(tmp_path)
    (tmp_path / "affine" / "3" / "saved_model.pb").unlink()
    # Not settled before: who asks from then on is answered.
    lifecycle = make_lifecycle()
    assert lifecycle.ready
    assert states(lifecycle) == {2: State.AVAILABLE, 3: State.FAILED}


def test_workers_flip_when_all_have_proved(tmp_path: Path, make_lifecycle: MakeLifecycle) -> None:
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


def test_nobody_flips_while_one_worker_cannot(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    go = threading.Event()

    def hesitate(model: str, version: int, folder: Path) -> Servable:
        if version == 2:
            assert go.wait(60)
        return Servable(model, version, folder, cores=1, most_rows=64, metrics=Metrics())

    quick = make_lifecycle(workers_folder=tmp_path / ".workers")
    slow = make_lifecycle(workers_folder=tmp_path / ".workers", load=hesitate)
    publish_affine(tmp_path, bias=1.0)
    eventually(lambda: State.LOADING in (states(slow).get(2), states(quick).get(2)))
    look_some_times(quick)
    look_some_times(slow)
    assert (live(quick), live(slow)) == (1, 1)
    go.set()
    eventually(lambda: (live(quick), live(slow)) == (2, 2))


def test_what_one_worker_refuses_all_refuse(tmp_path: Path, make_lifecycle: MakeLifecycle) -> None:
    publish_affine(tmp_path)
    attempts = []

    def fail(model: str, version: int, folder: Path) -> Servable:
        if version == 2:
            attempts.append(version)
            raise LoadError(Fault.GOLDEN, "It is bad.")
        return Servable(model, version, folder, cores=1, most_rows=64, metrics=Metrics())

    both = [make_lifecycle(workers_folder=tmp_path / ".workers", load=fail) for _ in range(2)]
    publish_affine(tmp_path)
    for lifecycle in both:
        eventually(lambda each=lifecycle: states(each).get(2) is State.FAILED)
        assert lifecycle.status("affine")[0].reason == "It is bad."
        assert live(lifecycle) == 1
    assert attempts == [2]


def test_a_worker_that_comes_later_serves_what_the_others_serve(
    tmp_path: Path, make_lifecycle: MakeLifecycle
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
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path, bias=1.0)
    first = make_lifecycle(workers_folder=tmp_path / ".workers")
    shutil.rmtree(tmp_path / "affine" / "2")
    second = make_lifecycle(workers_folder=tmp_path / ".workers")
    eventually(lambda: second.serves("affine"))
    assert (live(first), live(second)) == (2, 1)
    # The next version brings them together again.
    publish_affine(tmp_path, bias=2.0)
    publish_affine(tmp_path, bias=2.0)
    eventually(lambda: live(first) == live(second) == 3)


def test_a_version_whose_folder_vanishes_keeps_serving(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path, bias=1.0)
    lifecycle = make_lifecycle()
    shutil.rmtree(tmp_path / "affine" / "2")
    eventually(lambda: "has vanished" in lifecycle.status("affine")[0].reason)
    assert states(lifecycle)[2] is State.AVAILABLE
    assert live(lifecycle) == 2
    shutil.rmtree(tmp_path / "affine")
    look_some_times(lifecycle)
    with lifecycle.lease("affine") as servable:
        assert answer(servable) == 4.0


def test_a_foreign_version_is_loaded_when_it_has_been_left_alone(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    save_affine(tmp_path / "foreign" / "1")
    lifecycle = make_lifecycle(quiet_s=1.5)
    (item,) = lifecycle.status("foreign")
    assert item.state is State.DISCOVERED
    assert "left alone" in item.reason
    eventually(lambda: states(lifecycle, "foreign") == {1: State.AVAILABLE})


def test_versions_that_the_policy_does_not_ask_for_do_not_wait_for_ever(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    def reason(lifecycle: Lifecycle, version: int) -> str:
        (found,) = (i for i in lifecycle.status("foreign") if i.version == version)
        return found.reason

    for version in range(3):
        save_affine(tmp_path / "foreign" / str(version))
    lifecycle = make_lifecycle(quiet_s=1.0)
    unasked = {0: State.END, 1: State.END, 2: State.AVAILABLE}
    eventually(lambda: states(lifecycle, "foreign") == unasked)
    assert (
        reason(lifecycle, 0)
        == reason(lifecycle, 1)
        == "The policy asks for the newest version alone."
    )
    policy = tmp_path / "foreign" / POLICY

    policy.write_text('{"serve": {"versions": [1]}}')
    eventually(
        lambda: states(lifecycle, "foreign") == {**unasked, 1: State.AVAILABLE, 2: State.END}
    )
    said = "The policy asks for other versions: 1."
    eventually(lambda: reason(lifecycle, 0) == said)

    policy.write_text('{"unloaded": true}')
    said_unloaded = "The policy keeps the model unloaded."
    eventually(lambda: reason(lifecycle, 0) == said_unloaded)


def test_a_version_that_waits_for_its_files_says_so_until_another_is_asked_for(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    (tmp_path / "affine" / "7").mkdir()
    lifecycle = make_lifecycle()
    eventually(lambda: states(lifecycle) == {1: State.AVAILABLE, 7: State.DISCOVERED})
    (tmp_path / "affine" / POLICY).write_text('{"serve": {"versions": [1]}}')
    eventually(lambda: states(lifecycle) == {1: State.AVAILABLE, 7: State.END})
    (tmp_path / "affine" / POLICY).write_text('{"serve": {"latest": 1}}')
    eventually(lambda: states(lifecycle) == {1: State.AVAILABLE, 7: State.DISCOVERED})
    assert "waits for" in next(i.reason for i in lifecycle.status("affine") if i.version == 7)


def test_a_policy_that_names_a_signature_which_is_not_there_says_so(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    policy = tmp_path / "affine" / POLICY
    policy.write_text('{"rows_independent": {"nope": false, "serving_default": true}}')
    lifecycle = make_lifecycle()
    assert live(lifecycle) == 1
    problem = lifecycle.policy_problem("affine")
    assert problem.startswith('policy.json: rows_independent names the signature "nope", which no')
    assert "serving_default" in problem
    policy.write_text('{"rows_independent": {"serving_default": true}}')
    eventually(lambda: lifecycle.policy_problem("affine") == "")


def test_a_version_with_a_card_waits_for_its_manifest(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    manifest = tmp_path / "affine" / "1" / "manifest.json"
    text = manifest.read_text()
    manifest.unlink()
    lifecycle = make_lifecycle()
    look_some_times(lifecycle)
    (item,) = lifecycle.status("affine")
    assert (item.state, item.reason.split(",")[0]) == (
        State.DISCOVERED,
        "It waits for manifest.json",
    )
    manifest.write_text(text)
    eventually(lambda: states(lifecycle) == {1: State.AVAILABLE})


def test_policies_choose_versions_and_labels(tmp_path: Path, make_lifecycle: MakeLifecycle) -> None:
    for bias in (0.0, 1.0, 2.0):
        publish_affine(tmp_path, bias=bias)
    lifecycle = make_lifecycle()

    def set_policy(policy: object) -> None:
        (tmp_path / "affine" / POLICY).write_text(json.dumps(policy))

    set_policy({"serve": {"versions": [1, 2]}, "labels": {"stable": 1, "canary": 2, "lost": 3}})
    eventually(lambda: states(lifecycle) == {1: State.AVAILABLE, 2: State.AVAILABLE, 3: State.END})
    assert live(lifecycle) == 2
    assert lifecycle.labels("affine") == {"stable": 1, "canary": 2}
    with lifecycle.lease("affine", label="stable") as servable:
        assert servable.version == 1
    with pytest.raises(NotFoundError, match=r"no label 'lost'; its labels: canary, stable\."):
        lifecycle.lease("affine", label="lost").__enter__()

    (tmp_path / "affine" / POLICY).write_text("nonsense")
    eventually(lambda: lifecycle.policy_problem("affine") != "")
    assert live(lifecycle) == 2

    set_policy({"serve": {"versions": [9]}})
    eventually(lambda: lifecycle.policy_problem("affine") == "")
    look_some_times(lifecycle)
    assert live(lifecycle) == 2

    set_policy({"serve": {"latest": 1}})
    eventually(lambda: states(lifecycle)[3] is State.AVAILABLE and live(lifecycle) == 3)


def test_what_is_not_there_is_said(tmp_path: Path, make_lifecycle: MakeLifecycle) -> None:
    publish_affine(tmp_path)
    lifecycle = make_lifecycle()
    with pytest.raises(NotFoundError, match=r"There is no model 'x'; there are: affine\."):
        lifecycle.require("x")
    with pytest.raises(
        NotFoundError, match=r"Version 7 of model 'affine' does not serve; these do: 1\."
    ):
        lifecycle.lease("affine", version=7).__enter__()


def test_workers_unload_and_load_a_model_together(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
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


def test_a_service_that_starts_with_an_unloaded_model_leaves_it_so(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path, model="other")
    (tmp_path / "affine" / POLICY).write_text('{"unloaded": true}')
    lifecycle = make_lifecycle()
    assert (lifecycle.serves("affine"), lifecycle.serves("other")) == (False, True)
    assert lifecycle.all_ready
    assert lifecycle.unloaded("affine")


def test_a_look_that_takes_too_long_is_not_waited_for(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    go = threading.Event()

    def hesitate(model: str, version: int, folder: Path) -> Servable:
        assert version == 1 or go.wait(60)
        return Servable(model, version, folder, cores=1, most_rows=64, metrics=Metrics())

    lifecycle = make_lifecycle(load=hesitate)
    publish_affine(tmp_path)
    assert not lifecycle.reconcile_now("affine", 0.05)
    go.set()
    assert lifecycle.reconcile_now("affine", 60)
    assert live(lifecycle) == 2


def test_one_models_load_holds_up_no_other(tmp_path: Path, make_lifecycle: MakeLifecycle) -> None:
    publish_affine(tmp_path)
    go = threading.Event()

    def hesitate(model: str, version: int, folder: Path) -> Servable:
        assert model != "slow" or go.wait(60)
        return servable(model, version, folder)

    both = [make_lifecycle(workers_folder=tmp_path / ".workers", load=hesitate) for _ in range(2)]
    publish_affine(tmp_path, model="slow")
    eventually(lambda: any("slow" in each.models() for each in both))
    publish_affine(tmp_path, bias=1.0)
    eventually(lambda: [live(each) for each in both] == [2, 2])
    assert not any(each.serves("slow") for each in both if "slow" in each.models())
    assert all(each.ready for each in both)
    go.set()
    eventually(lambda: all(each.serves("slow") for each in both))


def test_a_load_that_takes_too_long_is_refused_and_closed_when_it_ends(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    # The time is for the second version: on a busy machine loading the first one takes long, too.
    first = servable("affine", 1, tmp_path / "affine" / "1")
    go = threading.Event()
    made: list[Servable] = []

    def hesitate(model: str, version: int, folder: Path) -> Servable:
        assert version == 1 or go.wait(60)
        made.append(first if version == 1 else servable(model, version, folder))
        return made[-1]

    lifecycle = make_lifecycle(load=hesitate, step_timeout_s=2.0)
    publish_affine(tmp_path)
    eventually(lambda: states(lifecycle).get(2) is State.FAILED)
    assert lifecycle.status("affine")[0].reason == "Loading it took longer than 2 s."
    assert live(lifecycle) == 1
    go.set()
    eventually(lambda: len(made) == 2 and not made[1].acquire())
    assert states(lifecycle)[2] is State.FAILED


def test_at_the_start_an_older_version_serves_while_the_newest_takes_its_time(
    tmp_path: Path, make_lifecycle: MakeLifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.runtime.model._LONGEST_SILENCE_S", 0.2)
    publish_affine(tmp_path)
    publish_affine(tmp_path, bias=1.0)
    go = threading.Event()

    def hesitate(model: str, version: int, folder: Path) -> Servable:
        assert version == 1 or go.wait(60)
        return servable(model, version, folder)

    lifecycle = make_lifecycle(load=hesitate)
    assert live(lifecycle) == 1
    go.set()
    eventually(lambda: live(lifecycle) == 2)


def test_a_failure_of_the_machine_is_tried_again_and_the_older_version_serves(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path, bias=1.0)
    failures = [MemoryError(), OSError(5, "Input/output error"), OSError(24, "Too many open files")]

    def stumble(model: str, version: int, folder: Path) -> Servable:
        if version == 2 and failures:
            raise failures.pop()
        return servable(model, version, folder)

    lifecycle = make_lifecycle(load=stumble)
    assert lifecycle.serves("affine")
    eventually(lambda: live(lifecycle) == 2)
    assert failures == []


def test_what_a_refused_version_has_read_is_given_back(
    tmp_path: Path, make_lifecycle: MakeLifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is free when free pages go back to the system, though the error leads to it."""

    class Graph:
        """What stands for gigabytes."""

    read: list[weakref.ref[Graph]] = []
    left: list[list[Graph | None]] = []

    def fail(model: str, version: int, folder: Path) -> Servable:
        graph = Graph()
        graph.itself = graph  # type: ignore[attr-defined]
        read.append(weakref.ref(graph))
        try:
            raise OSError("It cannot be parsed.")
        except OSError as error:
            raise LoadError(Fault.GRAPH, "It is no graph.") from error

    def give_back() -> None:
        gc.collect()
        left.append([graph() for graph in read])

    monkeypatch.setattr("service.runtime.load_attempts.give_back", give_back)
    publish_affine(tmp_path)
    lifecycle = make_lifecycle(load=fail)
    eventually(lambda: states(lifecycle) == {1: State.FAILED} and left != [])
    assert left == [[None]]


def test_a_bad_model_that_is_deleted_is_gone(tmp_path: Path, make_lifecycle: MakeLifecycle) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path, model="bad")
    (tmp_path / "bad" / "1" / "saved_model.pb").unlink()
    lifecycle = make_lifecycle()
    eventually(lambda: states(lifecycle, "bad") == {1: State.FAILED})
    assert not lifecycle.all_ready
    shutil.rmtree(tmp_path / "bad")
    eventually(lambda: lifecycle.models() == ["affine"])
    assert lifecycle.all_ready


def test_no_label_is_told_of_a_version_that_does_not_serve(
    tmp_path: Path, make_lifecycle: MakeLifecycle
) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path)
    (tmp_path / "affine" / "2" / "saved_model.pb").unlink()
    (tmp_path / "affine" / POLICY).write_text(
        '{"serve": {"versions": [1, 2]}, "labels": {"stable": 1, "canary": 2}}'
    )
    lifecycle = make_lifecycle()
    eventually(lambda: lifecycle.serves("affine"))
    assert lifecycle.labels("affine") == {"stable": 1}


def test_a_worker_whose_lifecycle_is_stuck_is_not_waited_for_and_catches_up(
    tmp_path: Path, make_lifecycle: MakeLifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_affine(tmp_path)
    quick = make_lifecycle(workers_folder=tmp_path / ".workers", silent_s=0.5)
    stuck = make_lifecycle(workers_folder=tmp_path / ".workers")
    go, real = threading.Event(), Store.versions

    def hang(store: Store, model: str) -> dict[int, Path]:
        if threading.current_thread() is stuck._thread:
            assert go.wait(60)
        return real(store, model)

    monkeypatch.setattr(Store, "versions", hang)
    publish_affine(tmp_path, bias=1.0)
    eventually(lambda: live(quick) == 2)
    # It does not answer with what the others have left behind.
    with pytest.raises(UnavailableError, match="catches up"):
        live(stuck)
    go.set()
    eventually(lambda: stuck.reconcile_now("affine", 60))
    assert live(stuck) == 2


def test_a_lifecycle_that_ends_says_so(
    tmp_path: Path, make_lifecycle: MakeLifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_affine(tmp_path)
    died = threading.Event()
    lifecycle = make_lifecycle(on_death=died.set)
    monkeypatch.setattr(Store, "survey", lambda store: (_ for _ in ()).throw(SystemExit))
    assert died.wait(60)
    lifecycle.stop()
