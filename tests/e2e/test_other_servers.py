"""The application does not depend on our worker, nor on gunicorn."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.e2e.conftest import Service, StartService, free_port
from tests.e2e.service_state import ONLY_Y
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually

# As docs/guides/operate.md tells to host it.
HOST = """
import os
import waitress
from service.app import create_app

app = create_app()
lifecycle = app.extensions["lifecycle"]
lifecycle.start()
waitress.serve(app, host="127.0.0.1", port=int(os.environ["PORT"]), _quiet=True)
lifecycle.stop()
"""


def predicts_and_swaps(service: Service, models: Path) -> None:
    def answers(version: int, value: float) -> bool:
        response = service.post("/v1/models/affine:predict", ONLY_Y)
        assert response.status_code == 200, response.text
        assert response.json() in ({"predictions": [5.0]}, {"predictions": [value]})
        return response.headers["X-Model-Version"] == str(version)

    eventually(lambda: answers(1, 5.0))
    publish_affine(models, bias=10.0)
    eventually(lambda: answers(2, 15.0))
    refusal = service.post("/v1/models/affine:predict", {"instances": "none"})
    assert refusal.status_code == 400
    assert refusal.json()["code"] == "INVALID_ARGUMENT"
    assert 'understudy_live_version{model="affine"' in service.get("/metrics").text


def test_standard_gthread(start_service: StartService, tmp_path: Path) -> None:
    models = tmp_path / "models"
    publish_affine(models)
    service = start_service(models, GUNICORN_CMD_ARGS="--worker-class gthread")
    predicts_and_swaps(service, models)
    with requests.Session() as kept:
        assert kept.get(f"{service.url}/livez", timeout=60).ok
        assert service.stop() == 0


def test_waitress(tmp_path: Path, repository_root: Path) -> None:
    models = tmp_path / "models"
    publish_affine(models)
    port = free_port()
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", HOST],
            cwd=repository_root,
            stdout=out,
            stderr=err,
            env={
                **os.environ,
                "MODELS": str(models),
                "PORT": str(port),
                "UNDERSTUDY_POLL_INTERVAL_S": "0.2",
            },
        )
    service = Service(f"http://127.0.0.1:{port}", process, tmp_path / "out", tmp_path / "err")

    def ready() -> bool:
        assert process.poll() is None, service.errors.read_text()[-3000:]
        try:
            return service.get("/readyz").ok
        except requests.ConnectionError:
            return False

    try:
        eventually(ready, 120)
        predicts_and_swaps(service, models)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_connections_are_spread_again_when_a_worker_has_gone(
    start_service: StartService, tmp_path: Path, kill: signal.Signals
) -> None:
    publish_affine(tmp_path / "models")
    service = start_service(tmp_path / "models")
    eventually(lambda: len(service.workers()) == 2)
    victim, other = service.workers()
    os.kill(victim, kill)
    # Meanwhile the other takes what comes, and then they share it.
    for _ in range(5):
        assert service.post("/v1/models/affine:predict", ONLY_Y).ok
    eventually(lambda: len(set(service.workers()) - {victim}) == 2)
    eventually(lambda: _spread(service))
    assert other in service.workers()


def _spread(service: Service) -> bool:
    """Open 32 connections, ask over each, and tell whether the workers share them."""
    sessions = [requests.Session() for _ in range(32)]
    try:
        for session in sessions:
            body = session.post(
                f"{service.url}/v1/models/affine:predict", json=ONLY_Y, timeout=60
            ).json()
            assert body == {"predictions": [5.0]}
        held = [_connections(pid) for pid in service.workers()]
        return len(held) == 2 and sum(held) >= 32 and max(held) <= 20
    finally:
        for session in sessions:
            session.close()


def _connections(pid: int) -> int:
    """Count the established connections of a process."""
    table = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    established = {row.split()[9] for row in table if row.split()[3] == "01"}
    inodes = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(handle.readlink())
        except FileNotFoundError:
            continue  # It has been closed meanwhile.
        if target.startswith("socket:["):
            inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    return len(inodes & established)
