"""Rows are counted over all workers, and stay counted when a worker dies."""

import os
import signal
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import Service, StartService
from tests.savedmodels.drifting import publish_sign
from tests.waiting import eventually

REQUESTS, ROWS = 40, 5


def counted(service: Service) -> int:
    """Return the rows of which the input was counted."""
    families = text_string_to_metric_families(service.get("/metrics").text)
    return int(
        sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == "understudy_field_rows_total" and sample.labels["field"] == "inputs.x"
        )
    )


def test_workers_count_together(start_service: StartService, tmp_path: Path) -> None:
    publish_sign(tmp_path)
    service = start_service(tmp_path, UNDERSTUDY_WORKERS="2")

    def ask() -> None:
        for _ in range(REQUESTS):
            answer = service.post(
                "/v1/models/sign:predict", {"instances": [{"x": 0.1 * n} for n in range(ROWS)]}
            )
            assert answer.status_code == 200

    ask()
    eventually(lambda: counted(service) == REQUESTS * ROWS)
    assert service.get("/v1/models/sign/drift").json()["state"] == "waiting"
    os.kill(service.workers()[0], signal.SIGKILL)
    eventually(lambda: len(service.workers()) == 2)
    assert counted(service) == REQUESTS * ROWS
    eventually(lambda: service.get("/readyz").status_code == 200)
    ask()
    eventually(lambda: counted(service) == 2 * REQUESTS * ROWS)
