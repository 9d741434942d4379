"""Metrics of versions that have ended vanish, from files and from memory."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from service.monitoring import metrics_folder
from tests.service.monitoring.conftest import FOLDER, Worker, predictions, values


def test_a_version_that_ended_vanishes_at_once_and_never_falls_before(
    tmp_path: Path, start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = start(), start()
    for worker in (one, other):
        for version in range(1, 7):
            worker.tell(f"begin m {version}")
            worker.tell(f"count m {version}")
            worker.tell(f"count m {version}")
    # The first two of five that end are handed over: three are still shown.
    for version in range(1, 6):
        one.tell(f"end m {version}")
    assert predictions(tmp_path, version="1") == 4
    assert predictions(tmp_path, version="2") == 4
    for version in range(1, 6):
        other.tell(f"end m {version}")
    # Nobody has them any more; they are kept for a while, for they may come back.
    assert predictions(tmp_path, version="1") == 4
    one.tell("begin m 1")
    one.tell("count m 1")
    assert predictions(tmp_path, version="1") == 5
    # Then what nobody has is forgotten.
    monkeypatch.setattr(metrics_folder, "_KEPT_S", 0.0)
    assert metrics_folder.fold_ended_processes(tmp_path)
    shown = {v for v in range(1, 7) if predictions(tmp_path, version=str(v)) is not None}
    assert shown == {1, 3, 4, 5, 6}
    assert predictions(tmp_path, version="1") == 5
    assert predictions(tmp_path, version="6") == 4
    # Should it come back now, it counts from nothing.
    other.tell("begin m 2")
    other.tell("count m 2")
    assert predictions(tmp_path, version="2") == 1
    assert [k for k in values(tmp_path) if ("version", "2") in k[1]]


def test_series_are_dropped_without_a_warning(repository_root: Path, tmp_path: Path) -> None:
    """It would stand as plain text in a log of JSON."""
    script = """
from service.monitoring.prometheus_metrics import Metrics

metrics = Metrics()
for version in range(100):
    metrics.begin_version("m", str(version))
    metrics.answered("m", str(version), 200).inc()
    metrics.end_version("m", str(version))
print(len(metrics._versions))
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=repository_root,
        env={**os.environ, FOLDER: str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(result.stdout) < 100
    assert result.stderr == ""


def test_versions_that_came_and_went_leave_nothing_in_memory(
    repository_root: Path, tmp_path: Path
) -> None:
    script = """
import gc, tracemalloc
from service.monitoring.prometheus_metrics import Metrics

metrics = Metrics()

def swap(version):
    metrics.begin_version("m", str(version))
    counted = metrics.version("m", str(version))
    for _ in range(3):
        counted.request_seconds.observe(0.1)
    metrics.answered("m", str(version), 200).inc()
    if version:
        metrics.end_version("m", str(version - 1))
    metrics.exposition()

def held():
    gc.collect()
    return tracemalloc.get_traced_memory()[0]

for version in range(40):
    swap(version)
tracemalloc.start()
# What was made before is not traced, and its place is taken by what is: a full exchange.
for version in range(40, 80):
    swap(version)
before = held()
for version in range(80, 160):
    swap(version)
print(held() - before)
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=repository_root,
        env={**os.environ, FOLDER: str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    # Eighty versions have some 5,000 series, and each of them takes about 500 bytes.
    assert int(result.stdout) < 200_000
