"""A drill: Prometheus watches the real service, things go wrong, and the right alerts fire."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from service.repository.model_store import Store
from tests.e2e.conftest import Service, StartService, eventually, free_port
from tests.e2e.service_state import ONLY_Y, wait_for_both_workers
from tests.e2e.test_full_folder import fill
from tests.savedmodels.affine import affine_golden, fill_affine, publish_affine
from tests.savedmodels.slow import publish_slow
from tests.small_file_system import small_file_system

ROOT = Path(__file__).resolve().parents[2]
# In the drill a minute is a second.
_MINUTE = re.compile(r"\b(\d+)m\b")
# What a start may pass through has more time: on a busy machine it takes more than two seconds.
_AT_A_START = {
    "UnderstudyDown",
    "UnderstudyNotReady",
    "UnderstudyNoLiveVersion",
    "UnderstudyVersionSkew",
}
_PATIENT = "60s"
QUEUE = 2
LONG = {"instances": [50.0]}


class Prometheus:
    """Debian's Prometheus, which scrapes one service."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        (folder / "rules.yml").write_text(yaml.safe_dump(hurried_rules()))
        job = {
            "job_name": "understudy",
            "static_configs": [{"targets": [service.url.removeprefix("http://")]}],
        }
        hurry = {"scrape_interval": "500ms", "scrape_timeout": "500ms"}
        (folder / "prometheus.yml").write_text(
            yaml.safe_dump(
                {
                    "global": {"evaluation_interval": "500ms", **hurry},
                    "rule_files": ["rules.yml"],
                    "scrape_configs": [job],
                }
            )
        )
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                ],
                stdout=log,
                stderr=log,
            )

    def query(self, query: str) -> list[dict[str, Any]]:
        """Return what a query finds now, each with ``metric`` and ``value``."""
        with contextlib.suppress(requests.ConnectionError):
            answer = requests.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=30)
            if answer.ok:
                found: list[dict[str, Any]] = answer.json()["data"]["result"]
                return found
        return []

    def firing(self) -> set[tuple[str, str]]:
        """Return the alerts that fire, each with its model."""
        return self._alerts('ALERTS{alertstate="firing"}')

    def have_fired(self) -> set[tuple[str, str]]:
        """Return the alerts that have fired at any time, each with its model."""
        return self._alerts('count_over_time(ALERTS{alertstate="firing"}[1h])')

    def _alerts(self, query: str) -> set[tuple[str, str]]:
        found = [item["metric"] for item in self.query(query)]
        return {(metric["alertname"], metric.get("model", "")) for metric in found}


def hurried_rules() -> dict[str, Any]:
    """Return the rules, with seconds in place of minutes."""
    rules: dict[str, Any] = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        rule["expr"] = _MINUTE.sub(r"\1s", rule["expr"])
        if "for" in rule:
            patient = rule["alert"] in _AT_A_START
            rule["for"] = _PATIENT if patient else _MINUTE.sub(r"\1s", rule["for"])
    return rules


@pytest.fixture
def metrics_folder(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    with small_file_system(tmp_path / "metrics", "2m") as folder:
        yield folder


@pytest.fixture
def service(start_service: StartService, tmp_path: Path, metrics_folder: Path) -> Service:
    if shutil.which("prometheus") is None:
        pytest.skip("there is no prometheus; Debian's package is called so")
    publish_affine(tmp_path / "models")
    publish_slow(tmp_path / "models")
    return start_service(
        tmp_path / "models",
        PROMETHEUS_MULTIPROC_DIR=str(metrics_folder),
        UNDERSTUDY_MAX_QUEUE=str(QUEUE),
    )


@pytest.fixture
def prometheus(tmp_path: Path, service: Service) -> Iterator[Prometheus]:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    started = Prometheus(folder, service)
    yield started
    started.process.terminate()
    started.process.wait(30)


@contextlib.contextmanager
def overloaded(service: Service) -> Iterator[None]:
    """Send a slow model more than its queue holds, meanwhile."""
    done = threading.Event()

    def ask() -> None:
        with requests.Session() as session:
            while not done.is_set():
                session.post(f"{service.url}/v1/models/slow:predict", json=LONG, timeout=60)

    threads = [threading.Thread(target=ask) for _ in range(4 * QUEUE)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def ask(service: Service, times: int) -> list[int]:
    """Predict over new connections, so by all workers, and one by one: queues are short here."""
    return [service.post("/v1/models/affine:predict", ONLY_Y).status_code for _ in range(times)]


def publish_bad(models: Path) -> Path:
    """Publish a version that answers its golden examples otherwise; return its folder."""
    number = Store(models).publish(
        "affine", lambda folder: fill_affine(folder, bias=7.0, golden=affine_golden(8.0))
    )
    return models / "affine" / str(number)


def test_what_goes_wrong_is_seen_and_nothing_else(
    prometheus: Prometheus, service: Service, tmp_path: Path, metrics_folder: Path
) -> None:
    models = tmp_path / "models"
    wait_for_both_workers(service)
    # All is well, requests are answered, and every series has been seen.
    eventually(lambda: len(prometheus.query("understudy_worker_live_version > 0")) == 4)
    assert service.post("/v1/models/affine:predict", ONLY_Y).ok
    eventually(lambda: bool(prometheus.query("understudy_predictions_total > 0")))
    assert prometheus.have_fired() == set()

    bad = publish_bad(models)
    refused = ("UnderstudyVersionRefused", "affine")
    eventually(lambda: prometheus.firing() == {refused})
    shutil.rmtree(bad)
    eventually(lambda: prometheus.firing() == set())

    full = ("UnderstudyQueueFull", "slow")
    with overloaded(service):
        eventually(lambda: prometheus.firing() == {full})
    eventually(lambda: prometheus.firing() == set())

    os.kill(service.workers()[0], signal.SIGKILL)
    restarted = ("UnderstudyWorkerRestarts", "")
    eventually(lambda: restarted in prometheus.firing())
    wait_for_both_workers(service)

    fill(metrics_folder)
    # Series of a new version that is asked find no room.
    publish_affine(models, bias=10.0)
    incomplete = ("UnderstudyMetricsIncomplete", "")
    eventually(lambda: ask(service, 8) == [200] * 8 and incomplete in prometheus.firing())

    # Not the error rate, though 503 were answered; not the times, though a model was slow.
    assert prometheus.have_fired() == {refused, full, restarted, incomplete}
    # With room again it ends by itself, also in a worker that nobody asks.
    (metrics_folder / "filler").unlink()
    eventually(lambda: incomplete not in prometheus.firing())
