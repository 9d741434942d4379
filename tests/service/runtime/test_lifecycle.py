"""Versions in and out of service, on real files with real (tiny) SavedModels."""

import shutil
import threading
from pathlib import Path

import pytest

from service.errors import NotFoundError
from service.repository.model_store import Store
from service.runtime.version_state import State
from tests.lifecycles import Start, answer, live, look_some_times, states
from tests.savedmodels.affine import publish_affine, save_affine
from tests.waiting import eventually


def test_the_latest_version_serves_from_the_start(tmp_path: Path, make_lifecycle: Start) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path, bias=1.0)
    lifecycle = make_lifecycle()
    assert lifecycle.ready
    assert states(lifecycle) == {2: State.AVAILABLE}
    assert live(lifecycle) == 2


def test_a_new_version_replaces_the_old_which_retires(
    tmp_path: Path, make_lifecycle: Start
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


def test_a_new_model_appears(tmp_path: Path, make_lifecycle: Start) -> None:
    lifecycle = make_lifecycle()
    assert not lifecycle.ready
    publish_affine(tmp_path, model="late")
    eventually(lambda: lifecycle.ready)
    assert lifecycle.models() == ["late"]


def test_a_version_whose_folder_vanishes_keeps_serving(
    tmp_path: Path, make_lifecycle: Start
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
    tmp_path: Path, make_lifecycle: Start
) -> None:
    save_affine(tmp_path / "foreign" / "1")
    lifecycle = make_lifecycle(quiet_s=1.5)
    (item,) = lifecycle.status("foreign")
    assert item.state is State.DISCOVERED
    assert "have not changed for some seconds" in item.reason
    eventually(lambda: states(lifecycle, "foreign") == {1: State.AVAILABLE})


def test_a_version_with_a_card_waits_for_its_manifest(
    tmp_path: Path, make_lifecycle: Start
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


def test_what_is_not_there_is_said(tmp_path: Path, make_lifecycle: Start) -> None:
    publish_affine(tmp_path)
    lifecycle = make_lifecycle()
    with pytest.raises(NotFoundError, match=r"There is no model 'x'; there are: affine\."):
        lifecycle.require("x")
    with pytest.raises(
        NotFoundError, match=r"Version 7 of model 'affine' does not serve; these do: 1\."
    ):
        lifecycle.lease("affine", version=7).__enter__()


def test_a_bad_model_that_is_deleted_is_gone(tmp_path: Path, make_lifecycle: Start) -> None:
    publish_affine(tmp_path)
    publish_affine(tmp_path, model="bad")
    (tmp_path / "bad" / "1" / "saved_model.pb").unlink()
    lifecycle = make_lifecycle()
    eventually(lambda: states(lifecycle, "bad") == {1: State.FAILED})
    assert not lifecycle.all_ready
    shutil.rmtree(tmp_path / "bad")
    eventually(lambda: lifecycle.models() == ["affine"])
    assert lifecycle.all_ready


def test_a_lifecycle_that_ends_says_so(
    tmp_path: Path, make_lifecycle: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_affine(tmp_path)
    died = threading.Event()
    lifecycle = make_lifecycle(on_death=died.set)
    monkeypatch.setattr(Store, "survey", lambda store: (_ for _ in ()).throw(SystemExit))
    assert died.wait(60)
    lifecycle.stop()
