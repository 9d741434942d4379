"""The service where nothing is there that only Linux has."""

import os
import signal
from pathlib import Path

from tests.e2e.conftest import StartService, eventually
from tests.e2e.test_lifecycle_faults import answers
from tests.e2e.test_service import sample
from tests.savedmodels.affine import publish_affine

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
    counted = sample(service, PREDICTED)
    assert counted > 0
    victim = service.workers()[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(set(service.workers()) - {victim}) == 2)
    eventually(lambda: sample(service, "understudy_workers_ready") == 2)
    assert answers(service) == {("2", 25.0)}
    assert sample(service, PREDICTED) == counted + 24
    service.process.send_signal(signal.SIGHUP)
    eventually(lambda: "Hang up" in service.errors.read_text())
    eventually(lambda: sample(service, "understudy_workers_ready") == 2)
    assert service.stop() == 0
    assert "Traceback" not in service.errors.read_text()
