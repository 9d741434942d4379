"""Loads take turns: models that never get ready keep no good one waiting, nor unnamed."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.runtime import load_lock
from service.runtime.lifecycle import Lifecycle
from service.runtime.servable import Servable
from service.runtime.version_state import State
from service.server.banner import banner
from service.settings.settings import Settings
from tests.lifecycles import Start, servable, starting
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually

ENDLESS = [f"a{i}" for i in range(6)]


@pytest.fixture
def go() -> threading.Event:
    """Let the endless models end."""
    return threading.Event()


@pytest.fixture
def lifecycle(
    tmp_path: Path, go: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Start]:
    """Return a function that begins to load some models that never end and a good one."""
    models = tmp_path / "models"
    for name in (*ENDLESS, "good"):
        publish_affine(models, model=name)

    class Endless(Servable):
        def warm_up(self) -> None:
            assert go.wait(60)

    def load(model: str, version: int, folder: Path) -> Servable:
        return servable(model, version, folder, kind=Endless if model in ENDLESS else Servable)

    # A slow load alone never lets others pass here.
    monkeypatch.setattr(load_lock, "_SLOW_LOAD_S", math.inf)
    with starting(models, settles=False, load=load, workers_folder=tmp_path / "workers") as start:
        yield start
        go.set()


def serves(lifecycle: Lifecycle, name: str) -> bool:
    return name in lifecycle.models() and lifecycle.serves(name)


def test_a_good_model_serves_after_endless_ones_that_sort_before_it(
    lifecycle: Start, go: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_lock, "_SLOW_RUN_S", 0.05)
    worker = lifecycle()
    eventually(lambda: serves(worker, "good"))
    assert not any(serves(worker, name) for name in ENDLESS)
    go.set()
    eventually(lambda: all(serves(worker, name) for name in ENDLESS))


def test_what_waits_for_its_turn_is_named(
    lifecycle: Start, go: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_lock, "_SLOW_RUN_S", math.inf)
    worker = lifecycle()

    def known() -> list[tuple[State, str]]:
        if "good" not in worker.models():
            return []
        return [(item.state, item.reason) for item in worker.status("good")]

    eventually(lambda: known() == [(State.DISCOVERED, "It waits for a0 1, a1 1 to load.")])
    told = banner(worker, Settings())
    assert "  good is still being loaded. It waits for a0 1, a1 1 to load." in told.splitlines()
    assert "  a0 is still being loaded." in told.splitlines()
    go.set()
    eventually(lambda: serves(worker, "good"))
    assert known() == [(State.AVAILABLE, "")]
