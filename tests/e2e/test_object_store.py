"""A service whose models lie in an object store: a publication there swaps what serves."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.repository.object_store.origin import models_folder
from service.repository.object_store.refreshing import current_store
from tests.e2e.conftest import Service, StartService
from tests.e2e.service_state import ONLY_Y
from tests.e2e.test_swaps import Clients, bias
from tests.object_stores import BUCKET, KEYS, proxy_of, s3_of_moto
from tests.savedmodels.affine import fill_affine
from tests.waiting import eventually
from training.publishing import saved_model_export, version_policy


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_of_moto() as url:
        yield url


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def mirrors(service: Service) -> list[int]:
    """Return the process that mirrors, below the one that starts it again."""
    return [
        pid
        for parent in service.workers()
        if b"mirror_supervisor" in Path(f"/proc/{parent}/cmdline").read_bytes()
        for pid in children(parent)
    ]


def test_a_publication_in_the_store_swaps_what_serves_and_no_request_fails(
    s3: str, start_service: StartService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"s3://{BUCKET}/end-to-end"
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "trainer"))
    out = models_folder(url)

    def publish(version: int) -> None:
        export = tmp_path / "export" / str(version)
        fill_affine(export, bias=bias(version))
        assert saved_model_export.publish(export, out, "affine") == version

    publish(1)
    with proxy_of(s3) as proxy:
        # Of one worker, so that all that else is there are the mirror's processes.
        service = start_service(
            url,  # type: ignore[arg-type]
            UNDERSTUDY_WORKERS="1",
            UNDERSTUDY_MIRROR_INTERVAL_S="0.2",
            UNDERSTUDY_ADMIN_TOKEN="token",
            XDG_CACHE_HOME=str(tmp_path / "service"),
            AWS_ENDPOINT_URL=proxy.url,
            **KEYS,
        )
        with Clients(service, reconnect=False, rest_s=0.02).watching() as clients:
            eventually(lambda: clients.all_saw(1))
            (mirror,) = mirrors(service)
            os.kill(mirror, signal.SIGKILL)
            publish(2)
            eventually(lambda: clients.all_saw(2))
            (mirror,) = mirrors(service)
            # Nothing of the store can be reached: what serves goes on.
            proxy.spoil = lambda method, path: "cut"
            publish(3)
            asked = len(proxy.asked)
            eventually(lambda: len(proxy.asked) > asked + 3)
            assert clients.all_saw(2)
            proxy.spoil = lambda method, path: None
            eventually(lambda: clients.all_saw(3))
            # Who says what serves says it in the store.
            version_policy.roll_back(out, "affine")
            eventually(lambda: clients.all_saw(2))
            answer = service.post(
                "/v1/models/affine:rollback", None, headers={"Authorization": "Bearer token"}
            )
            assert answer.status_code == 200
            eventually(lambda: clients.all_saw(1))
        assert clients.failures == []
        assert current_store(out, "affine").policy("affine").versions == (1,)
        metrics = service.get("/metrics").text
        assert 'understudy_mirror_requests_total{kind="list"}' in metrics
        assert metrics.count("# HELP understudy_mirror_in_step_timestamp_seconds ") == 1
        assert service.post("/v1/models/affine:predict", ONLY_Y).status_code == 200
        assert service.stop() == 0
        eventually(lambda: not Path(f"/proc/{mirror}").exists())
