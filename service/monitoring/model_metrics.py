"""What a worker shows of one model's state: what answers, what was refused, what is missing."""

import os
from collections.abc import Container, Iterable

from service.monitoring.prometheus_metrics import Metrics


class ModelMetrics:
    """One model's state in this worker; only the lifecycle's thread uses it."""

    def __init__(self, metrics: Metrics, model: str) -> None:
        """The metrics of a model of which nothing is loaded yet."""
        self._metrics = metrics
        self._model = model
        self._shown: tuple[int, bool, int] | None = None
        self._serving: frozenset[int] = frozenset()
        # Counted from 0, so that Prometheus sees the first as an increase.
        for result in ("ok", "refused"):
            metrics.swaps.labels(model, result)
        metrics.queue_rejections.labels(model)

    def note_swap(self, live: int) -> None:
        """Count that other versions answer from now on.

        Args:
            live: the one that answers requests which name none; 0 when there is none.
        """
        metrics, model = self._metrics, self._model
        metrics.swaps.labels(model, "ok").inc()
        metrics.live_version.labels(model).set(live)
        metrics.live_since.labels(model).set_to_current_time()

    def show_serving(self, versions: Iterable[int]) -> None:
        """Show which versions answer from now on."""
        before, self._serving = self._serving, frozenset(versions)
        for version in before ^ self._serving:
            shown = self._metrics.version(self._model, str(version))
            shown.serves(version in self._serving)

    def show(self, live: int, wanted: Iterable[int], failed: Container[int]) -> None:
        """Show the model's state.

        Args:
            live: the version that answers requests which name none; 0 when there is none.
            wanted: the versions on disk that should answer.
            failed: the versions that were refused.
        """
        wanted = tuple(wanted)
        state = (live, bool(wanted) and not live, sum(version in failed for version in wanted))
        if self._shown == state:
            return
        self._shown = state
        metrics, model = self._metrics, self._model
        metrics.worker_live_version.labels(model, str(os.getpid())).set(live)
        metrics.model_unavailable.labels(model).set(state[1])
        metrics.refused_versions.labels(model).set(state[2])
