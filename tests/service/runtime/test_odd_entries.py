"""One bad entry of the folder of models fails alone, by name; and when a version is whole."""

import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.repository.folder_walk import remove_tree
from service.repository.model_policy import POLICY
from service.repository.model_store import Store
from service.repository.unserved_entries import UnservedEntry
from service.runtime.directory_snapshot import take_snapshot
from service.runtime.folder_observations import FolderObservations, observe_before_the_workers
from service.runtime.lifecycle import Lifecycle
from service.runtime.version_state import State
from tests.lifecycles import live, states
from tests.savedmodels.affine import publish_affine, save_affine
from tests.service.conftest import MakeApp
from tests.service.repository.test_folder_walk import nest
from tests.service.repository.test_unserved_entries import dangle, loop, pipe
from tests.waiting import eventually


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The lines of the log, as their fields."""
    lines: list[dict[str, Any]] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append({"message": record.getMessage(), **getattr(record, "fields", {})})

    logger = logging.getLogger("understudy")
    monkeypatch.setattr(logger, "handlers", [Collector()])
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "level", logging.INFO)
    return lines


def unserved(told: list[dict[str, Any]]) -> list[str]:
    return [line["path"] for line in told if line["message"].startswith("An entry of")]


def lifecycle_of(app: Any) -> Lifecycle:
    found: Lifecycle = app.extensions["lifecycle"]
    return found


ODD: list[tuple[str, Callable[[Path], None]]] = [
    ("other", loop),
    ("other", dangle),
    ("other", pipe),
    ("affine/2", loop),
    ("affine/2", dangle),
    ("affine/2", pipe),
    ("caf\udce9/1", lambda path: path.mkdir(parents=True)),
    ("affine/\udcff", Path.mkdir),
    ("affine/v2", save_affine),
]


@pytest.mark.parametrize(("entry", "make"), ODD)
def test_a_bad_entry_is_named_once_and_the_others_serve(
    tmp_path: Path,
    make_app: MakeApp,
    told: list[dict[str, Any]],
    entry: str,
    make: Callable[[Path], None],
) -> None:
    publish_affine(tmp_path / "models")
    make(tmp_path / "models" / entry)
    app = make_app(poll_interval_s=0.02, workers_folder=tmp_path / "workers")
    assert live(lifecycle_of(app)) == 1
    client = app.test_client()
    eventually(lambda: unserved(told) != [])
    (ignored,) = client.get("/v1/models").json["ignored"]
    assert unserved(told) == [ignored["path"]]
    assert client.get("/v1/models/affine").status_code == 200
    assert client.post("/v2/repository/index").status_code == 200

    # Neither a look later nor another worker says it again.
    second = make_app(poll_interval_s=0.02, workers_folder=tmp_path / "workers")
    looked = (
        lifecycle_of(second).reconcile_now("affine", 60),
        lifecycle_of(app).reconcile_now("affine", 60),
    )
    assert looked == (True, True)
    assert second.test_client().get("/v1/models").json["ignored"] == [ignored]
    assert len(unserved(told)) == 1


def sparse(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.touch()
    os.truncate(path, 2**40)


BAD_VERSIONS: list[tuple[str, Callable[[Path], None], str]] = [
    ("foreign/2/variables/pipe", pipe, "variables/pipe is neither file nor folder"),
    ("foreign/2/caf\udce9", pipe, "caf\\xe9 is neither file nor folder"),
    ("affine/2/pipe", pipe, "pipe is neither file nor folder"),
    ("affine/2/loop", loop, "loop is a symbolic link"),
    ("affine/2/caf\udce9", Path.touch, "caf\\xe9 is on disk but not in the manifest"),
    ("affine/2/d\udce9/a", loop, "d\\xe9/a is a symbolic link"),
]


BAD_VERSIONS += [
    ("foreign/2/saved_model.pb", sparse, "saved_model.pb has 1099511627776 bytes; at most"),
    ("affine/2/saved_model.pb", sparse, "saved_model.pb has 1099511627776 bytes; at most"),
    ("foreign/2/assets/words", sparse, "assets/words has 1099511627776 bytes; at most"),
    ("affine/2/manifest.json", sparse, "manifest.json has 1099511627776 bytes; at most"),
    ("affine/2/assets.extra/card.json", sparse, "card.json has 1099511627776 bytes; at most"),
    ("affine/2/assets.extra/golden.json", sparse, "golden.json has 1099511627776 bytes; at most"),
    ("foreign/2/assets/deep", nest, "assets/deep/d/... is deeper than 32 folders"),
    ("affine/2/deep", nest, "deep/d/d/... is deeper than 32 folders"),
]


@pytest.mark.parametrize(("entry", "make", "reason"), BAD_VERSIONS)
def test_a_bad_entry_in_a_version_is_named_and_the_version_before_serves(
    tmp_path: Path,
    make_app: MakeApp,
    request: pytest.FixtureRequest,
    entry: str,
    make: Callable[[Path], None],
    reason: str,
) -> None:
    root = tmp_path / "models"
    model = entry.split("/")[0]
    for version in ("1", "2"):
        if model == "affine":
            publish_affine(root)
        else:
            save_affine(root / model / version)
    make(root / entry)
    request.addfinalizer(lambda: remove_tree(root))
    app = make_app()
    eventually(lambda: lifecycle_of(app).serves(model))
    assert live(lifecycle_of(app), model) == 1
    failed = lifecycle_of(app).status(model)[0]
    assert (failed.version, failed.state) == (2, State.FAILED)
    assert reason in failed.reason
    assert app.test_client().get(f"/v1/models/{model}").status_code == 200
    assert app.test_client().get("/v1/models").status_code == 200


@pytest.mark.parametrize("place", ["affine", "foreign", "foreign/2"])
def test_what_this_user_may_not_read_fails_alone(
    tmp_path: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    root = tmp_path / "models"
    publish_affine(root)
    for version in ("1", "2"):
        save_affine(root / "foreign" / version)
    real = os.scandir
    locked = True

    def scandir(path: Any = ".") -> Any:
        if locked and str(path) == str(root / place):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    app = make_app()
    lifecycle = lifecycle_of(app)
    listed = app.test_client().get("/v1/models").json
    assert listed["models"] != []
    if place == "foreign/2":
        eventually(lambda: states(lifecycle, "foreign") == {1: State.AVAILABLE, 2: State.FAILED})
        reason = lifecycle.status("foreign")[0].reason
        assert reason == "Its folder cannot be read: Permission denied."
    else:
        assert [item["path"] for item in listed["ignored"]] == [place]
        assert [model["name"] for model in listed["models"]] == [
            name for name in ("affine", "foreign") if name != place
        ]
    # It is taken as soon as it can be read.
    locked = False
    model = place.split("/")[0]
    newest = 1 if model == "affine" else 2
    eventually(lambda: model in lifecycle.models() and newest in states(lifecycle, model))
    eventually(lambda: states(lifecycle, model)[newest] is State.AVAILABLE)
    assert app.test_client().get("/v1/models").json["ignored"] == []


def test_a_model_that_cannot_be_read_any_more_goes_on(
    tmp_path: Path,
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
    told: list[dict[str, Any]],
) -> None:
    root = tmp_path / "models"
    publish_affine(root)
    app = make_app(poll_interval_s=0.02)
    real = os.scandir

    def scandir(path: Any = ".") -> Any:
        if str(path) == str(root / "affine"):
            raise OSError(5, "Input/output error", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    eventually(lambda: unserved(told) == ["affine"])
    assert lifecycle_of(app).reconcile_now("affine", 60)
    assert live(lifecycle_of(app)) == 1
    assert not [line for line in told if line["message"] == "Checking a model failed."]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.mkdir, "cannot be read: Is a directory"),
        (pipe, "is not a file but a pipe or a device"),
        (loop, "cannot be read: Too many levels"),
        (dangle, "cannot be read: No such file"),
        (lambda path: path.write_bytes(b" " * 2**21), "is larger than 1048576 bytes"),
        (sparse, "is larger than 1048576 bytes"),
        (lambda path: path.write_text('{"labels": "\\ud800"}'), "\\ud800 is half a character"),
        (lambda path: path.write_bytes(b'{"serve": "\xff"}'), "is not JSON"),
    ],
)
def test_a_policy_that_cannot_be_read_is_named_and_the_model_serves(
    tmp_path: Path, make_app: MakeApp, make: Callable[[Path], None], reason: str
) -> None:
    publish_affine(tmp_path / "models")
    make(tmp_path / "models" / "affine" / POLICY)
    app = make_app()
    assert live(lifecycle_of(app)) == 1
    (model,) = app.test_client().get("/v1/models").json["models"]
    assert model["policy_problem"].startswith(POLICY)
    assert reason in model["policy_problem"]


@pytest.mark.parametrize("name", ["manifest.json", "assets.extra/card.json"])
@pytest.mark.parametrize("make", [Path.mkdir, pipe, loop])
def test_a_version_whose_own_files_cannot_be_read_is_refused(
    tmp_path: Path, make_app: MakeApp, name: str, make: Callable[[Path], None]
) -> None:
    root = tmp_path / "models"
    for _ in range(2):
        publish_affine(root)
    (root / "affine" / "2" / name).unlink()
    make(root / "affine" / "2" / name)
    app = make_app()
    eventually(lambda: lifecycle_of(app).serves("affine"))
    assert live(lifecycle_of(app)) == 1
    assert states(lifecycle_of(app))[2] is State.FAILED


def test_a_home_full_of_other_things_does_not_fill_the_log(
    tmp_path: Path, told: list[dict[str, Any]]
) -> None:
    observations = FolderObservations(lambda: tmp_path)
    many = [UnservedEntry(str(i), "It is odd.") for i in range(50)]
    for _ in range(3):
        observations.log_unserved(many, after_s=0.0)
    FolderObservations(lambda: tmp_path).log_unserved(many, after_s=0.0)
    assert len(unserved(told)) == 20
    assert told[-1]["entries"] == 30
    assert len(told) == 21
    # What has gone and comes again is told again.
    observations.log_unserved(many[1:], after_s=0.0)
    observations.log_unserved([*many[1:], UnservedEntry("new", "It is odd.")], after_s=0.0)
    observations.log_unserved(many, after_s=0.0)
    assert unserved(told)[20:] == ["new", "0"]


def test_what_is_odd_for_a_moment_is_not_told(tmp_path: Path, told: list[dict[str, Any]]) -> None:
    observations = FolderObservations(lambda: tmp_path)
    observations.log_unserved([UnservedEntry("m", "It is odd.")], after_s=3600.0)
    observations.log_unserved([], after_s=3600.0)
    assert told == []


def test_nothing_to_remember_with_is_no_reason_to_stop(
    tmp_path: Path, told: list[dict[str, Any]]
) -> None:
    observations = FolderObservations(lambda: tmp_path / "nowhere")
    observations.log_unserved([UnservedEntry("m", "It is odd.")], after_s=0.0)
    assert unserved(told) == ["m"]
    save_affine(tmp_path / "1")
    assert observations.unchanged_for("m", 1, take_snapshot(tmp_path / "1")) >= 0


class Clock:
    """The monotonic clock, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("service.runtime.folder_observations.time.monotonic", lambda: self.now)


@pytest.mark.parametrize("skew_s", [-1e9, -3600.0, 0.0, 3600.0, 1e9])
def test_times_of_another_clock_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skew_s: float
) -> None:
    """The files' times are by ``skew_s`` ahead of this machine's wall clock."""
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"graph")
    real = time.time
    clock = Clock(monkeypatch)
    monkeypatch.setattr(time, "time", lambda: real() - skew_s)
    observations = FolderObservations(lambda: tmp_path)

    def whole() -> bool:
        snapshot = take_snapshot(tmp_path / "1")
        return snapshot.complete(observations.unchanged_for("m", 1, snapshot), 3.0)

    assert not whole()
    clock.now += 2.9
    assert not whole()
    clock.now += 0.2
    assert whole()
    # Every change begins it anew.
    (tmp_path / "1" / "variables").mkdir()
    assert not whole()
    clock.now += 3.1
    assert whole()


def test_a_worker_that_replaces_another_knows_since_when(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models" / "m" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    workers = tmp_path / "workers"
    workers.mkdir()
    clock = Clock(monkeypatch)
    observe_before_the_workers(Store(tmp_path / "models"), workers)
    clock.now += 60

    def unchanged_s() -> float:
        return FolderObservations(lambda: workers).unchanged_for("m", 1, take_snapshot(folder))

    assert unchanged_s() == 60
    # A half copy over it is not taken at once.
    (folder / "saved_model.pb").write_bytes(b"gra")
    assert unchanged_s() == 0
    clock.now += 1
    assert unchanged_s() == 1
    # After the machine was started anew, its clock begins again.
    clock.now = 5
    assert unchanged_s() == 0


def test_a_version_is_replaced_by_hand_and_waits_again(tmp_path: Path, make_app: MakeApp) -> None:
    save_affine(tmp_path / "models" / "foreign" / "1")
    app = make_app(quiet_s=0.5, workers_folder=tmp_path / "workers")
    lifecycle = lifecycle_of(app)
    eventually(lambda: states(lifecycle, "foreign") == {1: State.AVAILABLE})
    seen = json.loads((tmp_path / "workers" / "sightings.json").read_text())["seen"]
    assert list(seen) == ["foreign/1"]
    # The next worker need not wait.
    second = lifecycle_of(make_app(quiet_s=0.5, workers_folder=tmp_path / "workers"))
    assert states(second, "foreign") == {1: State.AVAILABLE}
    shutil.copytree(tmp_path / "models" / "foreign" / "1", tmp_path / "models" / "foreign" / "2")
    eventually(lambda: states(lifecycle, "foreign").get(2) is State.DISCOVERED)
    eventually(lambda: live(lifecycle, "foreign") == live(second, "foreign") == 2)
