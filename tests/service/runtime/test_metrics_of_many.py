"""How much room the metrics of a worker take that starts with many models."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client import generate_latest

from service.monitoring.metric_values import MULTIPROCESS_DIRECTORY
from service.monitoring.prometheus_metrics import Metrics
from service.runtime.servable import Servable
from tests.lifecycles import started
from tests.service.monitoring.conftest import size

MODELS = 200
# Compose gives 64 MiB to all workers, to the one that replaces each, and to what ended before.
MOST_BYTES = 3 << 20


class Counted(Servable):
    """Is counted as any other, and computes nothing: it takes no TensorFlow session."""

    def _open(self) -> None:
        self.contract = {}  # type: ignore[assignment]
        self._saved_model = SimpleNamespace(bounded=set())  # type: ignore[assignment]

    def declare_rows(self, declared: object) -> None:
        """Leave it."""

    def check_rows(self) -> None:
        """Leave it."""

    def warm_up(self) -> None:
        """Leave it."""

    def prove(self) -> None:
        """Leave it."""

    def interrupt(self) -> None:
        """Leave it."""

    def _close(self) -> None:
        self._end_metrics()
        self._on_close()


def test_a_start_with_many_models_leaves_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "metrics"
    monkeypatch.setenv(MULTIPROCESS_DIRECTORY, str(folder))
    for number in range(MODELS):
        version = tmp_path / "models" / f"model-of-department-{number}" / "1"
        version.mkdir(parents=True)
        (version / "saved_model.pb").write_bytes(b"graph")
    metrics = Metrics()
    load = partial(Counted, cores=1, most_rows=64, metrics=metrics)
    lifecycle = started(tmp_path / "models", load=load, metrics=metrics, settled_s=120)
    try:
        assert all(map(lifecycle.serves, lifecycle.models()))
        assert len(lifecycle.models()) == MODELS
        assert metrics.missing == 0
        assert size(folder) < MOST_BYTES, f"{size(folder):,} bytes"
    finally:
        lifecycle.stop()


def test_a_version_that_ended_may_still_be_counted_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request that outlives the series of its version makes none that nobody ends."""
    monkeypatch.setattr("service.monitoring.prometheus_metrics._SHOWN_S", -1.0)
    metrics = Metrics()
    held = metrics.begin_version("m", "1")
    held.parse.observe(0.1)
    metrics.end_version("m", "1")
    assert b'version="1"' not in generate_latest(metrics._registry)
    held.parse.observe(0.1)  # has a place of its own, which is gone
    held.infer.observe(0.1)  # takes one that is to end as well
    assert b'phase="infer"' in generate_latest(metrics._registry)
    metrics.exposition()
    assert b'version="1"' not in generate_latest(metrics._registry)
