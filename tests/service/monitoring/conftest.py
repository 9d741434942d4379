"""Processes that count, in a folder of their own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.monitoring.exposition import exposition
from tests.small_file_system import small_file_system

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


# A worker: counts as it is told by lines, answers each, and ends when there are no more.
WORKER = """
import sys
from service.monitoring.prometheus_metrics import Metrics
from service.monitoring import key_metrics
from service.monitoring.model_metrics import ModelMetrics

metrics = Metrics()
for line in sys.stdin:
    what, *names = line.split()
    if what == "count":
        version = metrics.version(*names)
        version.predictions("serving_default").inc()
        version.parse.observe(0.002)
        version.note_batch(1, 0.5)
        metrics.answered(*names, 200).inc()
        metrics.workers_ready.set(1)
    elif what == "use":
        metrics.process.show()
    elif what == "all":
        model, version = names
        counted = metrics.begin_version(model, version)
        counted.computes_in("float32")
        for name in ("request_seconds", "parse", "validate", "wait", "infer", "serialise"):
            getattr(counted, name).observe(0.1)
        counted.failure_seconds.observe(0.1)
        counted.predictions("serving_default").inc()
        counted.note_batch(3, 0.1)
        counted.count_field_rows("inputs.x", 3, 2)
        counted.add_probability(1.5)
        counted.show_drift(True, 2e6, {"inputs.x": 0.25})
        metrics.answered(model, version, 200).inc()
        metrics.process.show()
        state = ModelMetrics(metrics, model)
        state.note_swap(int(version))
        state.show(int(version), [int(version)], ())
        metrics.connections.labels("1").set(1)
        metrics.stuck_predictions.labels(model, version).set(0)
        metrics.last_refusal.labels(model, "golden").set(1)
        metrics.load_seconds.labels(model, "loading").observe(1)
    elif what == "key":
        metrics.keys.count(names[0], "ok")
    elif what == "keys":
        metrics.keys.follow(set(names))
    elif what == "tidy":
        key_metrics._SHOWN_S = 0.0
        metrics.keep_up()
    elif what == "begin":
        metrics.begin_version(*names)
    elif what == "end":
        metrics.end_version(*names)
    elif what == "many":
        for number in range(int(names[0])):
            version = metrics.version(f"model-{number}", "1")
            version.predictions("serving_default").inc()
            version.request_seconds.observe(0.1)
    print(metrics.missing, flush=True)
"""


class Worker:
    """A process that counts."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            cwd=root,
            env={**os.environ, FOLDER: str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, line: str) -> int:
        """Have a line done, and return how many values have no room."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def kill(self) -> None:
        """End the process as nobody can foresee, and wait until it is gone."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start(tmp_path: Path, repository_root: Path) -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []

    def start(folder: Path = tmp_path) -> Worker:
        started.append(Worker(repository_root, folder))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    with small_file_system(tmp_path / "small", "256k") as folder:
        yield folder


def values(folder: Path) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(exposition(folder).decode())
        for sample in family.samples
    }


def predictions(folder: Path, model: str = "m", version: str = "1") -> float | None:
    labels = (("model", model), ("signature", "serving_default"), ("version", version))
    return values(folder).get(("understudy_predictions_total", labels))


def size(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.iterdir())
