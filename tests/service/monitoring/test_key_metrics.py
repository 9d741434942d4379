"""Counts of API keys outlive workers, and end after the keys."""

from collections.abc import Callable
from pathlib import Path

import pytest

from service.monitoring import key_metrics, metrics_folder
from service.monitoring.prometheus_metrics import Metrics
from tests.service.monitoring.conftest import Worker, values


def counted(folder: Path) -> dict[str, float]:
    """Return the requests by the names of their keys, over all workers."""
    return {
        dict(labels)["key"]: value
        for (name, labels), value in values(folder).items()
        if name == "understudy_key_requests_total"
    }


def test_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    keys = metrics.keys

    def shown() -> set[str]:
        text = metrics.exposition().decode()
        return {name for name in ("one", "two", "three") if f'{{key="{name}"' in text}

    keys.follow({"one", "two"})
    for name in ("one", "two", ""):
        keys.count(name, "ok")
    keys.follow({"two", "three"})
    metrics.keep_up()
    assert shown() == {"one", "two"}
    monkeypatch.setattr(key_metrics, "_SHOWN_S", 0.0)
    metrics.keep_up()
    assert shown() == {"two"}
    assert 'key=""' in metrics.exposition().decode()
    # One that comes back counts from nothing.
    keys.follow({"one", "two"})
    keys.count("one", "ok")
    metrics.keep_up()
    assert shown() == {"one", "two"}


def test_removed_keys_vanish_at_once_and_those_in_force_outlive_workers(
    tmp_path: Path, start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = start(), start()
    for worker in (one, other):
        worker.tell("keys a b c")
        worker.tell("key a")
        worker.tell("key b")
    assert counted(tmp_path) == {"a": 2, "b": 2}
    for worker in (one, other):
        worker.tell("keys b c")
    one.tell("tidy")
    # The other still counts it, so the sum does not fall.
    assert counted(tmp_path) == {"a": 2, "b": 2}
    other.tell("tidy")
    assert counted(tmp_path) == {"a": 2, "b": 2}
    one.kill()
    other.kill()
    monkeypatch.setattr(metrics_folder, "_KEPT_S", 0.0)
    assert metrics_folder.fold_ended_processes(tmp_path)
    assert metrics_folder.fold_ended_processes(tmp_path)
    # Nobody alive has counted "b", but the key is in force.
    assert counted(tmp_path) == {"b": 2}
