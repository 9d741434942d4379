"""What each worker uses is shown by worker, and ends with it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from service.monitoring import metrics_folder
from service.monitoring.exposition import exposition
from service.monitoring.process_metrics import ProcessMetrics
from tests.service.monitoring.conftest import Worker, values

NAMES = {
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_threads",
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "python_gc_collections_total",
    "python_gc_objects_collected_total",
    "python_gc_objects_uncollectable_total",
}


def shown(folder: Path, worker: Worker) -> dict[str, float]:
    """Return a worker's values by name; of the collector's generations the first."""
    pid = str(worker.process.pid)
    return {
        name: value
        for (name, labels), value in values(folder).items()
        if dict(labels).get("worker") == pid and dict(labels).get("generation", "0") == "0"
    }


def test_each_worker_shows_its_own_until_it_ends(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    one, other = start(), start()
    one.tell("use")
    other.tell("use")
    found = shown(tmp_path, one)
    assert found.keys() == shown(tmp_path, other).keys() == NAMES
    status = Path(f"/proc/{one.process.pid}/status").read_text()
    assert f"Threads:\t{found['process_threads']:.0f}\n" in status
    resident = int(status.partition("VmRSS:")[2].split()[0]) * 1024
    assert resident / 2 < found["process_resident_memory_bytes"] < resident * 2
    assert found["process_open_fds"] <= len(os.listdir(f"/proc/{one.process.pid}/fd")) + 8
    assert 0 < found["process_cpu_seconds_total"] < 100
    assert "# TYPE process_cpu_seconds_total counter\n" in exposition(tmp_path).decode()

    one.kill()
    metrics_folder.fold_ended_processes(tmp_path)
    assert shown(tmp_path, one) == {}
    assert shown(tmp_path, other).keys() == NAMES
    # Nor is anything of it kept for good.
    assert str(one.process.pid) not in exposition(tmp_path).decode()


def test_one_process_shows_the_same() -> None:
    registry = CollectorRegistry()
    process = ProcessMetrics(registry)
    assert b'{worker="' not in generate_latest(registry)
    process.show()
    text = generate_latest(registry).decode()
    pid = os.getpid()
    assert {name for name in NAMES if f'\n{name}{{worker="{pid}"' in text} == {
        name for name in NAMES if "_gc_" not in name
    }
    assert f'\npython_gc_collections_total{{generation="2",worker="{pid}"}} ' in text


def test_a_system_without_proc_shows_what_python_knows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("service.monitoring.process_metrics._OWN", tmp_path)
    registry = CollectorRegistry()
    ProcessMetrics(registry).show()
    text = generate_latest(registry).decode()
    assert "\nprocess_cpu_seconds_total{" in text
    assert "\nprocess_threads{" not in text
