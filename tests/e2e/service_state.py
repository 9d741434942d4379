"""What a running service says of itself, and how faults are put into it."""

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.e2e.conftest import Service
from tests.service_process import FAULTS
from tests.waiting import eventually

# A row of the model ``affine``.
ONLY_Y = {"signature_name": "only_y", "instances": [[1, 2]]}


def sample(service: Service, line: str) -> float:
    """Return the value of one line of the metrics; 0 when it is not there."""
    found = re.search(rf"^{re.escape(line)} (\S+)$", service.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def wait_for_both_workers(service: Service) -> None:
    """Wait until both workers take requests: one that starts waits for what the other loads."""

    def both_are_ready() -> bool:
        try:
            return sample(service, "understudy_workers_ready") == 2
        except requests.ConnectionError:
            return False

    eventually(both_are_ready)


def answers(service: Service, model: str = "affine") -> set[tuple[str, float]]:
    """Return version and value of answers over many new connections, so by all workers."""
    with ThreadPoolExecutor(8) as pool:
        responses = list(
            pool.map(lambda _: service.post(f"/v1/models/{model}:predict", ONLY_Y), range(24))
        )
    return {
        (response.headers["X-Model-Version"], response.json()["predictions"][0])
        for response in responses
        if response.ok
    }


def versions(service: Service, model: str = "affine") -> dict[str, tuple[str, str]]:
    """Return state and reason of a model's versions, as some worker tells them, often the same."""
    listed = {each["name"]: each for each in service.get("/v1/models").json()["models"]}
    return {
        each["version"]: (each["state"], each["reason"])
        for each in listed.get(model, {"versions": []})["versions"]
    }


def versions_by_worker(service: Service, model: str = "affine") -> list[dict[str, tuple[str, str]]]:
    """Return state and reason of a model's versions as each worker tells them.

    The kernel may give every connection to one worker, so the others stand still meanwhile. All of
    them must take requests already.
    """
    workers = service.workers()
    return [_versions_of(service, model, set(workers) - {worker}) for worker in workers]


def some_worker_says(service: Service, model: str, version: str, state: str) -> bool:
    """Whether one of the workers tells that a version is in this state: they load it by turns."""
    told = versions_by_worker(service, model)
    return any(each.get(version, ("",))[0] == state for each in told)


def _versions_of(service: Service, model: str, others: set[int]) -> dict[str, tuple[str, str]]:
    try:
        for other in others:
            os.kill(other, signal.SIGSTOP)
        return versions(service, model)
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)


def all_say(service: Service, model: str, version: str, state: str, reason: str = "") -> bool:
    """Whether all workers tell a version's state and reason; the first that does not is enough."""

    def says() -> bool:
        told = versions(service, model).get(version, ("", ""))
        return told[0] == state and reason in told[1]

    return all(says() for _ in range(12))


def with_faults(faults: Path) -> dict[str, str]:
    """Return the variables that put what the file ``faults`` names into a running service."""
    return {FAULTS: str(faults)}


def with_faults_from_the_start(repository_root: Path, faults: Path) -> dict[str, str]:
    """Return those that do so from the start of Python on, and what it then imports."""
    path = f"{repository_root / 'tests' / 'e2e' / 'faults'}{os.pathsep}{repository_root}"
    return {"PYTHONPATH": path, **with_faults(faults)}
