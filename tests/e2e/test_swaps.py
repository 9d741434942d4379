"""Versions change, workers die, configurations are reloaded; clients notice none of it."""

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from service.repository.model_policy import Policy, write_policy
from tests.e2e.conftest import Service, StartService
from tests.e2e.service_state import ONLY_Y
from tests.savedmodels.affine import publish_affine
from tests.waiting import eventually

CONNECTIONS = 8


class Clients:
    """Clients that ask again and again, each over one connection, and remember what they saw."""

    def __init__(self, service: Service, *, reconnect: bool, rest_s: float = 0.0) -> None:
        """Clients that have sent nothing yet.

        Args:
            service: the service that they ask.
            reconnect: whether a connection that ends is no failure.
            rest_s: seconds between two requests of a client.
        """
        self._rest_s = rest_s
        self._url = f"{service.url}/v1/models/affine:predict"
        self._reconnect = reconnect
        self._stop = threading.Event()
        self.failures: list[str] = []
        self.answers_by_client: list[list[tuple[int, float]]] = [[] for _ in range(CONNECTIONS)]

    @contextmanager
    def watching(self) -> Iterator["Clients"]:
        """Ask for as long as the block runs."""
        threads = [
            threading.Thread(target=self._watch, args=[seen]) for seen in self.answers_by_client
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def all_saw(self, version: int) -> bool:
        """Whether every client's last answer came from ``version``."""
        return all(seen and seen[-1][0] == version for seen in self.answers_by_client)

    def _watch(self, seen: list[tuple[int, float]]) -> None:
        with requests.Session() as session:
            while not self._stop.wait(self._rest_s):
                try:
                    response = session.post(self._url, json=ONLY_Y, timeout=60)
                    body = response.json()
                except requests.RequestException as error:
                    if not self._reconnect:
                        self.failures.append(repr(error))
                    continue
                if response.status_code != 200:
                    self.failures.append(response.text)
                    continue
                seen.append((int(response.headers["X-Model-Version"]), body["predictions"][0]))


def bias(version: int) -> float:
    return float(version) * 10


def publish(models: Path, version: int) -> None:
    assert publish_affine(models, bias=bias(version)) == version


def live_versions(service: Service) -> set[str]:
    """Return the versions that answer over several new connections, so by several workers."""
    return {
        service.post("/v1/models/affine:predict", ONLY_Y).headers["X-Model-Version"]
        for _ in range(16)
    }


@pytest.fixture
def models(tmp_path: Path) -> Path:
    publish(tmp_path / "models", 1)
    return tmp_path / "models"


def test_swaps_under_load(start_service: StartService, models: Path) -> None:
    service = start_service(models)
    with Clients(service, reconnect=False).watching() as clients:
        for version in range(2, 6):
            publish(models, version)
            eventually(lambda version=version: clients.all_saw(version))
    assert clients.failures == []
    for seen in clients.answers_by_client:
        # Each answer is wholly one version's, and no connection sees the version go back.
        assert all(value == 5 + bias(version) for version, value in seen)
        versions = [version for version, _ in seen]
        assert versions == sorted(versions)


def test_workers_that_die_come_back_with_what_the_others_serve(
    start_service: StartService, models: Path
) -> None:
    service = start_service(models)
    pause = random.Random(1)
    with Clients(service, reconnect=True).watching() as clients:
        for version in range(2, 5):
            os.kill(pause.choice(service.workers()), signal.SIGKILL)
            publish(models, version)
            # Somewhere before, during or after the swap.
            time.sleep(pause.uniform(0, 1))
            os.kill(pause.choice(service.workers()), signal.SIGKILL)
            eventually(lambda version=version: clients.all_saw(version))
            eventually(lambda: len(service.workers()) == 2)
            eventually(lambda version=version: live_versions(service) == {str(version)})
    assert clients.failures == []
    for seen in clients.answers_by_client:
        assert all(value == 5 + bias(version) for version, value in seen)


def test_a_pinned_version_stays_when_workers_are_replaced(
    start_service: StartService, models: Path
) -> None:
    publish(models, 2)
    service = start_service(models)
    assert live_versions(service) == {"2"}
    write_policy(models / "affine", Policy(versions=(1,)))
    eventually(lambda: live_versions(service) == {"1"})
    publish(models, 3)
    for pid in service.workers():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(service.workers()) == 2)
    assert live_versions(service) == {"1"}


def test_sighup_reloads_without_a_failed_request(start_service: StartService, models: Path) -> None:
    service = start_service(models, UNDERSTUDY_LAME_DUCK_S="1")
    before = set(service.workers())
    with Clients(service, reconnect=False).watching() as clients:
        eventually(lambda: clients.all_saw(1))
        service.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(service.workers()) == 2 and not before & set(service.workers()))
        publish(models, 2)
        eventually(lambda: clients.all_saw(2))
    assert clients.failures == []


def test_sigterm_turns_readiness_off_first(start_service: StartService, models: Path) -> None:
    # For longer than the test takes, on whatever machine; a second signal cuts it short.
    service = start_service(models, UNDERSTUDY_LAME_DUCK_S="120")
    service.process.send_signal(signal.SIGTERM)
    eventually(lambda: service.get("/readyz").status_code == 503)
    eventually(lambda: service.get("/livez").headers["Connection"] == "close")
    assert service.post("/v1/models/affine:predict", ONLY_Y).status_code == 200
    assert service.process.poll() is None
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(60) == 0
