"""The metrics' folder is full: the service goes on, says so, and catches up when there is room."""

import contextlib
import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.conftest import Service, StartService
from tests.e2e.service_state import ONLY_Y, sample, wait_for_both_workers
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually

NO_ROOM = "There is no room for metrics"
INCOMPLETE = "incomplete: there is no room for them"

# Gives a command a small file system of its own, of whose blocks and files there are few.
_SMALL = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"'


def in_a_small_file_system(folder: Path) -> list[str]:
    """Return what runs a command that sees a small file system in ``folder``, and nobody else."""
    for own in (["unshare", "-m"], ["unshare", "-Urm"]):
        command = [*own, "sh", "-c", _SMALL, str(folder)]
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
                return command
    pytest.skip("mounting takes a privilege")


def fill(folder: Path) -> Path:
    """Leave no room in the file system of ``folder``, and return the file that takes it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


def ask(service: Service, times: int) -> list[int]:
    """Predict over as many new connections, so by all workers; return the statuses."""
    with ThreadPoolExecutor(8) as pool:
        return list(
            pool.map(
                lambda _: service.post("/v1/models/affine:predict", ONLY_Y).status_code,
                range(times),
            )
        )


def told(service: Service, text: str) -> dict[str, int]:
    """Count the lines of the log with ``text``, by the worker that wrote them."""
    lines = [line for line in service.errors.read_text().splitlines() if text in line]
    workers = [line.partition('"worker": ')[2].partition(",")[0] for line in lines]
    return {worker: workers.count(worker) for worker in workers}


def readiness(service: Service) -> list[str]:
    """Return what the workers say of their metrics; nothing is said when all is well."""
    return [service.get("/readyz").json().get("metrics", "") for _ in range(12)]


@pytest.mark.parametrize("since", ["the start", "later"])
def test_a_full_folder_takes_no_worker(
    start_service: StartService, tmp_path: Path, since: str
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    under = in_a_small_file_system(small)
    if since == "the start":
        under[-2] = under[-2].replace(
            " && ", ' && (head -c 9m /dev/zero >"$0/filler" || true) && ', 1
        )
    publish_affine(tmp_path / "models")
    service = start_service(tmp_path / "models", under=under, PROMETHEUS_MULTIPROC_DIR=str(small))
    eventually(lambda: len(service.workers()) == 2)
    workers = service.workers()
    seen = Path(f"/proc/{service.process.pid}/root/{small}")
    assert ask(service, 24) == [200] * 24
    if since == "later":
        wait_for_both_workers(service)
        assert told(service, NO_ROOM) == {}
        assert set(readiness(service)) == {""}
        fill(seen)
        # New series, such as those of a new version that is asked, find no room.
        publish_affine(tmp_path / "models", bias=10.0)
        eventually(
            lambda: (
                ask(service, 24) == [200] * 24
                and told(service, NO_ROOM).keys() == set(map(str, workers))
            )
        )
    assert ask(service, 48) == [200] * 48
    eventually(lambda: set(readiness(service)) == {INCOMPLETE})
    assert {sample(service, "understudy_metrics_missing") > 0 for _ in range(12)} == {True}
    assert service.workers() == workers
    # A worker that comes later has no room for anything.
    os.kill(workers[0], signal.SIGKILL)
    eventually(lambda: len(set(service.workers()) - {workers[0]}) == 2)
    eventually(lambda: len(told(service, NO_ROOM)) == 3)
    workers = service.workers()
    eventually(lambda: set(ask(service, 24)) == {200})
    eventually(lambda: sample(service, "understudy_metrics_missing") == 2)
    # There is room again: all is there, also what was counted meanwhile.
    (seen / "filler").unlink()
    eventually(lambda: set(readiness(service)) == {""})
    eventually(lambda: sample(service, "understudy_metrics_missing") == 0)
    # Each worker writes what is missing within some seconds.
    wait_for_both_workers(service)
    assert service.workers() == workers
    # Each has said so once.
    assert set(told(service, NO_ROOM).values()) == {1}
    assert "SIGBUS" not in service.errors.read_text()
    assert "Traceback" not in service.errors.read_text()
    assert service.stop() == 0


def test_the_folder_cannot_be_made_anew(start_service: StartService, tmp_path: Path) -> None:
    """It was cleaned away, and a file lies in its place when a worker is replaced."""
    chosen = tmp_path / "metrics"
    publish_affine(tmp_path / "models")
    service = start_service(tmp_path / "models", PROMETHEUS_MULTIPROC_DIR=str(chosen))
    wait_for_both_workers(service)
    shutil.rmtree(chosen)
    chosen.touch()
    victim = service.workers()[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(set(service.workers()) - {victim}) == 2)
    eventually(lambda: len(told(service, NO_ROOM)) == 1)
    assert ask(service, 24) == [200] * 24
    assert service.get("/metrics").ok
    chosen.unlink()
    # The other's files have gone with the old folder.
    eventually(lambda: sample(service, "understudy_workers_ready") == 1)
    assert "Traceback" not in service.errors.read_text()
    assert service.stop() == 0
