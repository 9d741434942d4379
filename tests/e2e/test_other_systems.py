"""The service where nothing is there that only Linux has."""

import os
import signal
import time
from pathlib import Path

from tests.e2e.conftest import Service, StartService
from tests.e2e.service_state import answers, sample, wait_for_both_workers
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually

# Between two looks at a counter; a worker counts within a turn of its loop.
_TURN_S = 0.2
PREDICTED = 'understudy_predictions_total{model="affine",signature="only_y",version="2"}'


def test_it_serves_swaps_counts_and_stops(
    start_service: StartService, tmp_path: Path, repository_root: Path
) -> None:
    publish_affine(tmp_path / "models", bias=10.0)
    elsewhere = repository_root / "tests" / "e2e" / "elsewhere"
    service = start_service(
        tmp_path / "models",
        PYTHONPATH=f"{elsewhere}{os.pathsep}{repository_root}",
        UNDERSTUDY_ADMIN_TOKEN="Sesam",
    )
    assert answers(service) == {("1", 15.0)}
    publish_affine(tmp_path / "models", bias=20.0)
    eventually(lambda: answers(service) == {("2", 25.0)})
    counted = settled(service, PREDICTED)
    assert counted > 0
    victim = service.workers()[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(set(service.workers()) - {victim}) == 2)
    wait_for_both_workers(service)
    assert answers(service) == {("2", 25.0)}
    eventually(lambda: sample(service, PREDICTED) == counted + 24)
    service.process.send_signal(signal.SIGHUP)
    eventually(lambda: "Hang up" in service.errors.read_text())
    wait_for_both_workers(service)
    assert service.stop() == 0
    assert "Traceback" not in service.errors.read_text()


def settled(service: Service, line: str) -> float:
    """Return a counter's value once two looks at it agree: workers count after they have answered."""
    before = sample(service, line)
    while True:
        time.sleep(_TURN_S)
        now = sample(service, line)
        if now == before:
            return now
        before = now
