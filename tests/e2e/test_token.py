"""The admin token of a service that runs."""

import os
from pathlib import Path

import requests

from tests.e2e.conftest import StartService
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually


def test_the_token_leaves_the_environment_and_opens_the_admin_api(
    start_service: StartService, tmp_path: Path
) -> None:
    """In master and workers, and in a worker that the master starts later."""
    publish_affine(tmp_path / "models")
    token = "Sesam öffne dich"
    service = start_service(
        tmp_path / "models",
        under=("env",),
        UNDERSTUDY_ADMIN_TOKEN=token,
        # The URL of a database would have its password.
        UNDERSTUDY_EVENTS=str(tmp_path / "events.db"),
        UNDERSTUDY_MAX_ROW="7",
    )
    bearer = {"Authorization": f"Bearer {token}".encode()}
    path = f"{service.url}/v1/models/affine/policy"

    def environ(pid: int) -> bytes:
        return Path(f"/proc/{pid}/environ").read_bytes()

    for _ in range(2):
        eventually(lambda: len(service.workers()) == 2)
        for pid in (service.process.pid, *service.workers()):
            found = environ(pid)
            assert b"\0PATH=" in b"\0" + found
            assert b"Sesam" not in found
            assert b"UNDERSTUDY_ADMIN_TOKEN" not in found
            assert b"UNDERSTUDY_EVENTS" not in found
        assert requests.get(path, headers=bearer, timeout=60).status_code == 200
        (model,) = service.get("/v1/models").json()["models"]
        assert model["events"] == {"rate": 0.1}
        for victim in service.workers():
            os.kill(victim, 9)
            eventually(lambda victim=victim: victim not in service.workers())
        eventually(lambda: service.get("/readyz").ok)
    # An unknown variable is told, once, with what was meant.
    lines = [line for line in service.errors.read_text().splitlines() if "MAX_ROW" in line]
    assert len(lines) == 1
    assert "UNDERSTUDY_MAX_ROW is not a setting, and has no effect." in lines[0]
    assert "Did you mean UNDERSTUDY_MAX_ROWS?" in lines[0]
