"""What may go wrong with one version or one worker, and must not stop or mix up the rest."""

import ctypes
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from service.repository.model_policy import Policy, write_policy
from tests.e2e.conftest import Service, StartService
from tests.e2e.service_state import (
    ONLY_Y,
    all_say,
    answers,
    sample,
    some_worker_says,
    versions_by_worker,
    wait_for_both_workers,
    with_faults,
)
from tests.savedmodels.affine import publish_affine
from tests.savedmodels.endless import publish_endless
from tests.waiting import eventually


@pytest.fixture
def models(tmp_path: Path) -> Path:
    publish_affine(tmp_path / "models", bias=10.0)
    return tmp_path / "models"


def exchange(one: Path, other: Path) -> None:
    """Exchange two folders at once: a version that is gone for a moment may come back as another."""
    at_cwd, rename_exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE, of renameat2(2)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(at_cwd, bytes(one), at_cwd, bytes(other), rename_exchange):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def replace_in_place(models: Path, version: int, *, bias: float) -> None:
    """Put other content under a number, as whole as any other version."""
    publish_affine(models.parent / "elsewhere", bias=bias)
    exchange(models.parent / "elsewhere" / "affine" / "1", models / "affine" / str(version))


def kill_a_worker(service: Service) -> None:
    victim = service.workers()[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in service.workers() and len(service.workers()) == 2)


@contextmanager
def stopped(worker: int) -> Iterator[None]:
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def test_an_endless_warm_up_holds_up_nothing_else(
    start_service: StartService, models: Path
) -> None:
    service = start_service(models)
    wait_for_both_workers(service)
    publish_endless(models, above=-1.0, busy=True)
    eventually(lambda: some_worker_says(service, "endless", "1", "warming"))
    assert service.get("/readyz").ok
    publish_affine(models, bias=20.0)
    eventually(lambda: answers(service) == {("2", 25.0)})
    # Its folder gone, nothing is left of it, not even the core that it took.
    left_behind = "understudy_loads_left_behind"
    shutil.rmtree(models / "endless")
    eventually(lambda: not any(versions_by_worker(service, "endless")))
    eventually(lambda: sample(service, left_behind) == 0)
    assert service.get("/v1/models/endless").status_code == 404
    assert service.get("/v2/health/ready").ok
    assert service.stop() == 0


def test_what_takes_too_long_is_refused_and_the_older_version_serves(
    start_service: StartService, models: Path
) -> None:
    publish_endless(models, above=-1.0, model="affine", busy=True)
    publish_endless(models, above=-1.0, model="alone", busy=True)
    # Far more than a step takes that does not hang, on a busy machine as well.
    service = start_service(models, UNDERSTUDY_LOAD_TIMEOUT_S="5")
    assert answers(service) == {("1", 15.0)}
    reason = "Warming it up took longer than 5 s."
    eventually(lambda: all_say(service, "affine", "2", "failed", reason))
    eventually(lambda: all_say(service, "alone", "1", "failed", reason))
    eventually(lambda: "Understudy serves" in service.output.read_text())
    banner = service.output.read_text()
    assert "affine" in banner
    assert f"affine 2 was refused: {reason}" in banner
    publish_affine(models, bias=30.0)
    eventually(lambda: answers(service) == {("3", 35.0)})
    assert service.stop() == 0


def test_with_a_broken_newest_version_the_older_serves_from_the_start(
    start_service: StartService, models: Path
) -> None:
    publish_affine(models)
    (models / "affine" / "2" / "saved_model.pb").unlink()
    service = start_service(models, wait_for="/livez")
    # The first answer that there is, is one.
    assert service.get("/readyz").ok
    assert answers(service) == {("1", 15.0)}
    eventually(lambda: "Understudy serves" in service.output.read_text())
    banner = service.output.read_text()
    assert "affine 2 was refused: saved_model.pb is in the manifest but not on disk." in banner


def test_a_worker_takes_requests_though_a_model_never_loads(
    start_service: StartService, models: Path
) -> None:
    publish_endless(models, above=-1.0, busy=True)
    service = start_service(models, UNDERSTUDY_LOAD_WAIT_S="8")
    assert answers(service) == {("1", 15.0)}
    eventually(lambda: "Understudy serves" in service.output.read_text())
    assert "endless is still being loaded" in service.output.read_text()
    # Who wants the policy changed does not wait for the load either.
    write_policy(models / "endless", Policy(unloaded=True))
    eventually(lambda: service.get("/v2/health/ready").ok)
    assert service.stop() == 0


def test_other_content_under_a_number_is_not_served_beside_the_old(
    start_service: StartService, models: Path
) -> None:
    publish_affine(models, bias=20.0)
    service = start_service(models)
    # With one of them killed, nobody else would know the old content.
    wait_for_both_workers(service)
    replace_in_place(models, 2, bias=99.0)
    eventually(lambda: all_say(service, "affine", "2", "available", "have changed since"))
    kill_a_worker(service)
    # The one that came later answers with what all agree on, under its own number.
    eventually(lambda: answers(service) == {("2", 25.0), ("1", 15.0)})
    eventually(lambda: "replaced in place" in str(versions_by_worker(service)))
    publish_affine(models, bias=30.0)
    eventually(lambda: answers(service) == {("3", 35.0)})


def test_a_number_that_is_published_again_waits_until_nobody_holds_the_old(
    start_service: StartService, models: Path, tmp_path: Path
) -> None:
    service = start_service(models)
    # With one of them killed, nobody else would know the old content.
    wait_for_both_workers(service)
    # By hand, since a trainer never gives a number twice.
    replaced = publish_affine(tmp_path / "other", bias=99.0)
    exchange(tmp_path / "other" / "affine" / str(replaced), models / "affine" / "1")
    kill_a_worker(service)
    eventually(lambda: "replaced in place" in str(versions_by_worker(service)))
    for _ in range(3):
        assert answers(service) == {("1", 15.0)}
    # Out of service in all workers, and in again: one content for the number, as before.
    write_policy(models / "affine", Policy(unloaded=True))
    eventually(lambda: answers(service) == set())
    write_policy(models / "affine", Policy())
    eventually(lambda: answers(service) == {("1", 104.0)})


@pytest.mark.parametrize("fault", ["EIO", "EMFILE", "ESTALE"])
def test_a_failure_of_the_machine_is_no_refusal(
    start_service: StartService, models: Path, faults: Path, fault: str
) -> None:
    service = start_service(models, **with_faults(faults))
    faults.write_text(fault)
    publish_affine(models, bias=20.0)
    number = getattr(__import__("errno"), fault)
    eventually(lambda: all_say(service, "affine", "2", "discovered", os.strerror(number)))
    assert answers(service) == {("1", 15.0)}
    faults.unlink()
    eventually(lambda: answers(service) == {("2", 25.0)})


def test_a_worker_whose_lifecycle_has_ended_is_replaced(
    start_service: StartService, models: Path, faults: Path
) -> None:
    service = start_service(models, **with_faults(faults))
    victim = service.workers()[0]
    faults.write_text(f"end {victim}")
    eventually(lambda: victim not in service.workers() and len(service.workers()) == 2)
    publish_affine(models, bias=20.0)
    eventually(lambda: answers(service) == {("2", 25.0)})


def test_a_worker_that_is_stopped_is_not_waited_for_and_comes_back_in_step(
    start_service: StartService, models: Path
) -> None:
    service = start_service(models)
    sessions = [requests.Session() for _ in range(16)]

    def ask(session: requests.Session) -> str:
        response = session.post(f"{service.url}/v1/models/affine:predict", json=ONLY_Y, timeout=60)
        return response.headers["X-Model-Version"] if response.ok else str(response.status_code)

    with ThreadPoolExecutor(16) as pool:
        # Connections to both workers, which wait while one of them is stopped.
        assert set(pool.map(ask, sessions)) == {"1"}
        with stopped(service.workers()[0]):
            publish_affine(models, bias=20.0)
            eventually(lambda: ask(requests.Session()) == "2")
        assert "1" not in [version for _ in range(20) for version in pool.map(ask, sessions)]
        eventually(lambda: set(pool.map(ask, sessions)) == {"2"})
    assert len(service.workers()) == 2


def test_the_workers_folder_may_vanish(
    start_service: StartService, models: Path, tmp_path: Path
) -> None:
    (tmp_path / "tmp").mkdir()
    service = start_service(models, TMPDIR=str(tmp_path / "tmp"))
    for bias in (20.0, 30.0):
        for folder in (tmp_path / "tmp").glob("understudy-*"):
            shutil.rmtree(folder)
        kill_a_worker(service)
        version = publish_affine(models, bias=bias)
        eventually(lambda v=version, b=bias: answers(service) == {(str(v), b + 5)})
    assert service.process.poll() is None
