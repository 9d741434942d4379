"""Prometheus' own linter has nothing to say of the metrics, in one process and in several."""

from collections.abc import Callable
from pathlib import Path

from service.monitoring.exposition import exposition
from service.monitoring.model_metrics import ModelMetrics
from service.monitoring.prometheus_metrics import Metrics
from tests.promtool import promtool
from tests.service.monitoring.conftest import Worker


def test_metrics_of_several_processes_pass(tmp_path: Path, start: Callable[..., Worker]) -> None:
    for worker in (start(), start()):
        worker.tell("all m 1")
    assert promtool("check", "metrics", text=exposition(tmp_path)) == ""


def test_metrics_of_one_process_pass() -> None:
    metrics = Metrics()
    version = metrics.begin_version("m", "1")
    version.predictions("serving_default").inc()
    version.parse.observe(0.1)
    version.note_batch(1, 0.1)
    version.count_field_rows("inputs.x", 3, 2)
    version.add_probability(1.5)
    version.show_drift(True, 2e6, {"inputs.x": 0.25})
    ModelMetrics(metrics, "m").note_swap(1)
    metrics.process.show()
    assert promtool("check", "metrics", text=metrics.exposition()) == ""
