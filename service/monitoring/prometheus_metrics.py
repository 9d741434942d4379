"""Prometheus metrics, right over several workers, their deaths and restarts.

With ``PROMETHEUS_MULTIPROC_DIR`` set, every worker keeps its numbers in files there
(``service.monitoring.metric_values``), and a scrape of any worker answers for all.
"""

import threading
import time
import warnings
from collections import Counter as Tally
from collections.abc import Collection, Iterator
from pathlib import Path

from prometheus_client import Counter, generate_latest
from prometheus_client.samples import Sample

from service.monitoring import metric_values
from service.monitoring.exposition import exposition, samples
from service.monitoring.key_metrics import KeyMetrics
from service.monitoring.metric_catalogue import MetricCatalogue
from service.monitoring.metrics_folder import fold_ended_processes
from service.monitoring.process_metrics import ProcessMetrics
from service.monitoring.tensorflow_serving_metrics import (
    HISTOGRAMS,
    tensorflow_serving_exposition,
)
from service.monitoring.version_metrics import VersionMetrics
from service.monitoring.worker_restarts import restarts_from_zero

# prometheus_client's own files are rid of series by service/monitoring/metric_values.py, as it
# cannot do it.
warnings.filterwarnings("ignore", "Removal of labels has not been implemented", UserWarning)

# How long a version that has ended is still shown, so that its last counts are scraped, unless
# this many others of its model have ended since.
_SHOWN_S = 120.0
_MOST_SHOWN = 3


class Metrics(MetricCatalogue):
    """The service's metrics, the series of its versions, and what a scrape is answered."""

    def __init__(self, textfile: Path | None = None, *, replica: str = "") -> None:
        """Metrics with no values yet.

        Args:
            textfile: what another process counts, in Prometheus' text format; shown with them as
                far as it is there.
            replica: the name of the replica whose metrics they are.
        """
        super().__init__()
        self.replica = replica
        self._textfile = textfile
        self.keys = KeyMetrics(self.key_requests)
        restarts_from_zero(self._registry)
        self.process = ProcessMetrics(self._registry)

        self._lock = threading.Lock()
        self._versions: dict[tuple[str, str], VersionMetrics] = {}
        self._answered: dict[tuple[str, str, int], Counter] = {}
        # How many servables there are of a version; and when those that have none ended, the
        # latest last.
        self._held = Tally[tuple[str, str]]()
        self._ended: dict[tuple[str, str], float] = {}

    def version(self, model: str, version: str) -> VersionMetrics:
        """Return the metrics of one version of a model, looked up by their labels only once."""
        found = self._versions.get((model, version))
        return self._new_version(model, version) if found is None else found

    def begin_version(self, model: str, version: str) -> VersionMetrics:
        """Return the metrics of a version that is loaded, until ``end_version``."""
        with self._lock:
            self._held[model, version] += 1
            self._ended.pop((model, version), None)
        return self.version(model, version)

    def end_version(self, model: str, version: str) -> None:
        """Say that a version is unloaded; after a while its series end.

        Once all workers have unloaded it they vanish at one moment, never going back before.
        """
        with self._lock:
            self._held[model, version] -= 1
            if self._held[model, version] <= 0:
                del self._held[model, version]
                self._ended[model, version] = time.monotonic()
        self._tidy()

    def answered(self, model: str, version: str, status: int) -> Counter:
        """Return the counter of one kind of answer."""
        found = self._answered.get((model, version, status))
        if found is None:
            if version:
                self.version(model, version)
            found = self.requests.labels(model, version, status)
            self._answered[model, version, status] = found
        return found

    def keep_up(self) -> None:
        """Show what this process uses, and write what had no room; to be called every second or so.

        Otherwise a worker without requests would still lack values after there is room again.
        """
        self.process.show()
        self.keys.tidy()
        shared = metric_values.store()
        if shared is not None:
            shared.retry()

    def queue_rejected(self, model: str) -> Counter:
        """Return the counter of predictions that were refused because the queue is full."""
        return self.queue_rejections.labels(model)

    @property
    def missing(self) -> int:
        """How many values of this process are in no file, for want of room."""
        shared = metric_values.store()
        if shared is None:
            return 0
        shared.retry()
        return shared.missing

    def exposition(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format."""
        shared = metric_values.store()
        if shared is None:
            self._tidy()
            return generate_latest(self._registry) + self._beside()
        shared.retry()
        self._tidy()
        fold_ended_processes(shared.folder, wait_s=0)
        return exposition(shared.folder) + self._beside()

    def _beside(self) -> bytes:
        try:
            return b"" if self._textfile is None else self._textfile.read_bytes()
        except OSError:
            return b""

    def tensorflow_serving_exposition(self) -> bytes:
        """Return what ``exposition`` does, and the same under TensorFlow Serving's names."""
        own = self.exposition()
        return own + tensorflow_serving_exposition(self.samples(buckets_of=HISTOGRAMS))

    def samples(self, *, buckets_of: Collection[str] = ()) -> Iterator[Sample]:
        """Return the values of the metrics of all workers.

        Args:
            buckets_of: histograms whose buckets are wanted as well, cumulated and in their order;
                where there is only one process, those of all are there.
        """
        shared = metric_values.store()
        if shared is not None:
            yield from samples(shared.folder, buckets_of=buckets_of)
            return
        for family in self._registry.collect():
            yield from family.samples

    def _new_version(self, model: str, version: str) -> VersionMetrics:
        with self._lock:
            found = self._versions.get((model, version))
            if found is None:
                found = self._versions[model, version] = VersionMetrics(self, model, version)
                if not self._held[model, version]:
                    # An answer has left after the version that gave it.
                    self._ended.setdefault((model, version), time.monotonic())
            return found

    def _tidy(self) -> None:
        """End the series of versions that ended long ago, or before many others."""
        with self._lock:
            now = time.monotonic()
            later = Tally[str]()
            for (model, version), since in reversed(tuple(self._ended.items())):
                later[model] += 1
                if since + _SHOWN_S < now or later[model] > _MOST_SHOWN:
                    self._forget(model, version)

    def _forget(self, model: str, version: str) -> None:
        shared = metric_values.store()
        if shared is not None and not shared.hand_over([(model, version)]):
            return  # The next time.
        del self._ended[model, version]
        self._versions.pop((model, version)).remove()
        for key in [key for key in self._answered if key[:2] == (model, version)]:
            del self._answered[key]
            self.requests.remove(*key)
