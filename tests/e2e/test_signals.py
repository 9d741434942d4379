"""A signal is neither lost nor harmful, at whichever step of a worker's life it comes."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.service_state import ONLY_Y, wait_for_both_workers, with_faults
from tests.e2e.unattended import StartUnattended, unattended
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually

# In a worker: right after the fork; before it gives up its master's handlers; between them and its
# own; before it loads the application; when its models are loaded, before it serves.
_STARTING = ["fork", "signals", "default", "application", "serving"]
# When it is done with serving; while it leaves the others; with its last words.
_STOPPING = ["cleanup", "leaving", "shutdown"]


@pytest.fixture
def start(tmp_path: Path, repository_root: Path) -> Iterator[StartUnattended]:
    publish_affine(tmp_path / "models")
    with unattended(repository_root, tmp_path / "models", tmp_path / "run") as start:
        yield start


def was_struck(faults: Path) -> bool:
    return faults.with_name("faults.reached").exists()


def strike(faults: Path, name: str, whom: str, place: str) -> None:
    """Have a signal sent when a worker gets to ``place`` next."""
    faults.with_name("faults.reached").unlink(missing_ok=True)
    place = f"default-{name}" if place == "default" else place
    new = faults.with_name("faults.new")
    new.write_text(f"signal {name} {whom} {place}")
    new.rename(faults)


# Each place by one of the two ways; the next test meets all of them by all signals.
@pytest.mark.parametrize(
    ("place", "name", "whom"),
    [(place, *(("TERM", "master"), ("INT", "all"))[i % 2]) for i, place in enumerate(_STARTING)],
)
def test_the_service_ends_while_a_worker_starts(
    start: StartUnattended, faults: Path, place: str, name: str, whom: str
) -> None:
    strike(faults, name, whom, place)
    started = start(**with_faults(faults))
    started.check_end()
    assert was_struck(faults)


def test_a_worker_that_starts_follows_and_is_replaced(start: StartUnattended, faults: Path) -> None:
    started = start(**with_faults(faults))
    wait_for_both_workers(started.service)
    for name in ("TERM", "INT", "QUIT"):
        for place in _STARTING:
            before = started.said().count("Worker exiting")
            strike(faults, name, "itself", place)
            # The next worker meets it, and makes room for one more.
            os.kill(started.service.workers()[0], signal.SIGTERM)
            eventually(lambda: was_struck(faults))
            eventually(lambda n=before: started.said().count("Worker exiting") == n + 2)
            wait_for_both_workers(started.service)
    assert started.service.post("/v1/models/affine:predict", ONLY_Y).json() == {
        "predictions": [5.0]
    }
    started.end(signal.SIGTERM)


def test_a_worker_that_stops_is_not_disturbed(start: StartUnattended, faults: Path) -> None:
    started = start(**with_faults(faults))
    wait_for_both_workers(started.service)
    for name in ("TERM", "USR1"):
        for place in _STOPPING:
            # It has threads besides that of its loop, which signals can come to as well.
            for _ in range(8):
                assert started.service.get("/v1/models").ok
            strike(faults, name, "itself", place)
            victim = started.service.workers()[0]
            os.kill(victim, signal.SIGTERM)
            eventually(lambda: was_struck(faults))
            eventually(lambda v=victim: v not in started.service.workers())
            wait_for_both_workers(started.service)
    started.end(signal.SIGINT)
