"""Loads that fail, take long, or have to be tried again; what serves goes on."""

import gc
import logging
import shutil
import threading
import weakref
from pathlib import Path

import pytest

from service.errors import UnavailableError
from service.runtime.load_error import Fault, LoadError
from service.runtime.servable import Servable
from service.runtime.version_state import State
from tests.lifecycles import Start, live, look_some_times, servable, states
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually


def test_a_bad_version_is_refused_and_the_old_one_stays(
    tmp_path: Path, make_lifecycle: Start
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
    tmp_path: Path, make_lifecycle: Start, monkeypatch: pytest.MonkeyPatch
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
    assert "see the service's log" in item.reason
    assert not lifecycle.ready
    with pytest.raises(UnavailableError, match="No version of model 'affine' serves yet"):
        live(lifecycle)


def test_at_the_start_the_best_version_that_can_serve_does(
    tmp_path: Path, make_lifecycle: Start
) -> None:
    for _ in range(3):
        publish_affine(tmp_path)
    (tmp_path / "affine" / "3" / "saved_model.pb").unlink()
    # Not settled before: who asks from then on is answered.
    lifecycle = make_lifecycle()
    assert lifecycle.ready
    assert states(lifecycle) == {2: State.AVAILABLE, 3: State.FAILED}


def test_one_models_load_holds_up_no_other(tmp_path: Path, make_lifecycle: Start) -> None:
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
    tmp_path: Path, make_lifecycle: Start, caplog: pytest.LogCaptureFixture
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
    with caplog.at_level(logging.INFO, logger="understudy"):
        go.set()
        eventually(lambda: len(made) == 2 and not made[1].acquire())
    assert states(lifecycle)[2] is State.FAILED
    # What was refused for its time has passed nothing.
    assert "has passed" not in caplog.text


def test_at_the_start_an_older_version_serves_while_the_newest_takes_its_time(
    tmp_path: Path, make_lifecycle: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.runtime.model_reconciler._LONGEST_SILENCE_S", 0.2)
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
    tmp_path: Path, make_lifecycle: Start
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
    tmp_path: Path, make_lifecycle: Start, monkeypatch: pytest.MonkeyPatch
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

    def release_memory() -> None:
        gc.collect()
        left.append([graph() for graph in read])

    monkeypatch.setattr("service.runtime.load_attempts.release_memory", release_memory)
    publish_affine(tmp_path)
    lifecycle = make_lifecycle(load=fail)
    eventually(lambda: states(lifecycle) == {1: State.FAILED} and left != [])
    assert left == [[None]]


def test_a_look_that_takes_too_long_is_not_waited_for(
    tmp_path: Path, make_lifecycle: Start
) -> None:
    publish_affine(tmp_path)
    go = threading.Event()

    def hesitate(model: str, version: int, folder: Path) -> Servable:
        assert version == 1 or go.wait(60)
        return servable(model, version, folder)

    lifecycle = make_lifecycle(load=hesitate)
    publish_affine(tmp_path)
    assert not lifecycle.reconcile_now("affine", 0.05)
    go.set()
    assert lifecycle.reconcile_now("affine", 60)
    assert live(lifecycle) == 2
