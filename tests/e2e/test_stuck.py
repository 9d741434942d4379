"""A prediction that never returns, in the real service: it harms nobody else for long."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.conftest import Service, StartService
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.endless import publish_endless
from tests.waiting import eventually

_AFFINE = {"instances": [{"x": [1, 2], "text": "quiet", "shift": 0}]}
_ENDLESS = {"instances": [1.0]}
_GOOD = {"instances": [-1.0]}


def _models(folder: Path, *, busy: bool = False) -> Path:
    publish_affine(folder)
    publish_endless(folder, busy=busy)
    return folder


def _gauge(service: Service) -> float:
    return sum(
        float(line.rpartition(" ")[2])
        for line in service.get("/metrics").text.splitlines()
        if line.startswith("understudy_stuck_predictions{")
    )


def test_a_stuck_prediction_harms_nobody_else(start_service: StartService, tmp_path: Path) -> None:
    models = _models(tmp_path, busy=True)
    service = start_service(
        models,
        wait_for="/v2/health/ready",
        UNDERSTUDY_WORKERS="1",
        UNDERSTUDY_TIMEOUT_S="2",
        UNDERSTUDY_STUCK_EXIT_S="0",
    )
    path = "/v1/models/endless:predict"
    assert service.post(path, _GOOD).json() == {"predictions": [-1.0]}
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(service.post, path, _ENDLESS) for _ in range(4)]
        assert [each.result().status_code for each in waiting] == [504] * 4
    eventually(lambda: _gauge(service) == 1)
    refused = service.post(path, _GOOD)
    assert refused.status_code == 503
    assert "stuck" in refused.json()["error"]
    assert refused.headers["Retry-After"]
    # It shows.
    (model,) = (m for m in service.get("/v1/models").json()["models"] if m["name"] == "endless")
    assert model["stuck"] == ["serving_default"]
    assert service.get("/readyz").json() == {
        "status": "ready",
        "stuck": {"endless": ["serving_default"]},
    }
    assert service.get("/v2/models/endless/ready").status_code == 503
    assert service.get("/v2/models/affine/ready").status_code == 200
    # Nobody else notices.
    assert service.post("/v1/models/affine:predict", _AFFINE).status_code == 200
    quick = {"signature_name": "quick", "instances": [2.0]}
    assert service.post(path, quick).json() == {"predictions": [-2.0]}
    publish_affine(models, bias=1.0)
    eventually(lambda: service.get("/v1/models/affine/versions/2").ok)
    # A new version of the stuck model comes, and what was stuck ends with the old one.
    publish_endless(models)
    eventually(lambda: service.post(path, _GOOD).status_code == 200)
    eventually(lambda: _gauge(service) == 0)
    states = service.get("/v1/models/endless").json()["model_version_status"]
    eventually(
        lambda: (
            [
                state["state"]
                for state in service.get("/v1/models/endless").json()["model_version_status"]
            ]
            == ["AVAILABLE", "END"]
        )
    )
    assert states
    # And once more, to stop while it is stuck.
    assert service.post(path, _ENDLESS).status_code == 504
    assert service.stop() == 0
    assert "SIGKILL" not in service.errors.read_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_with_a_stuck_prediction_is_replaced(
    start_service: StartService, tmp_path: Path, workers: int
) -> None:
    service = start_service(
        _models(tmp_path),
        wait_for="/v2/health/ready",
        UNDERSTUDY_WORKERS=str(workers),
        UNDERSTUDY_TIMEOUT_S="1",
        UNDERSTUDY_STUCK_EXIT_S="1",
        UNDERSTUDY_DRAIN_S="5",
    )
    eventually(lambda: len(service.workers()) == workers)
    before = set(service.workers())
    failed, stop = [], threading.Event()

    def ask() -> None:
        while not stop.wait(0.005):
            answer = service.post("/v1/models/affine:predict", _AFFINE)
            if not answer.ok:
                failed.append(answer.text)

    with ThreadPoolExecutor(1) as pool:
        others = pool.submit(ask)
        try:
            assert service.post("/v1/models/endless:predict", _ENDLESS).status_code == 504
            eventually(lambda: len(set(service.workers()) - before) == 1)
            eventually(lambda: len(service.workers()) == workers)
            eventually(lambda: service.post("/v1/models/endless:predict", _GOOD).status_code == 200)
        finally:
            stop.set()
        others.result()
    # While the only worker is replaced there is a moment in which nothing serves yet.
    assert workers == 1 or failed == []
    assert len(before & set(service.workers())) == workers - 1
    assert "is replaced, because" in service.errors.read_text()
    assert service.stop() == 0
