"""Prometheus metrics, right over several workers, their deaths and restarts.

With ``PROMETHEUS_MULTIPROC_DIR`` set, every worker keeps its numbers in files there
(``service.monitoring.metric_values``), and a scrape of any worker answers for all.
"""

import threading
import time
import warnings
from collections import Counter as Tally
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    generate_latest,
)
from prometheus_client.samples import Sample

from service.monitoring import metric_values
from service.monitoring.exposition import exposition, samples
from service.monitoring.metric_files import fold

metric_values.install()

# From what an idle machine needs for one row to the point where clients give up; each step
# about doubles.
REQUEST_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
# prometheus_client's own files are rid of series by service/monitoring/metric_values.py, as it
# cannot do it.
warnings.filterwarnings("ignore", "Removal of labels has not been implemented", UserWarning)

_PHASES = ("parse", "validate", "wait", "infer", "serialise")
# Coarser where there are many series: what a scrape costs grows with their buckets.
_PHASE_SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_LOAD_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
# Up to here batches are counted by their exact numbers of rows; larger ones share a series with
# those up to the next power of two, since it is clients who say how many rows they send.
_EXACT_ROWS = 64
# Setting a gauge costs as much as counting a batch; to know when one last ran, this is enough.
_NOTE_S = 1.0
# How long a version that has ended is still shown, so that its last counts are scraped, unless
# this many others of its model have ended since.
_SHOWN_S = 120.0
_MOST_SHOWN = 3


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "understudy_requests",
            "Requests answered, by what answered them.",
            ["model", "version", "status"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "understudy_request_seconds",
            "Seconds from a prediction's arrival at its handler to its response.",
            ["model", "version"],
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        self.phase_seconds = Histogram(
            "understudy_phase_seconds",
            "Seconds that a prediction spent in a phase: parse, validate, wait, infer, serialise.",
            ["model", "version", "phase"],
            buckets=_PHASE_SECONDS,
            registry=registry,
        )
        self.failure_seconds = Summary(
            "understudy_failure_seconds",
            "Seconds of predictions that failed; understudy_request_seconds has them as well.",
            ["model", "version"],
            registry=registry,
        )
        self.batch_seconds = Summary(
            "understudy_batch_seconds",
            "Seconds that batches ran, by their numbers of rows; above 64 powers of two.",
            ["model", "version", "rows"],
            registry=registry,
        )
        self.last_batch = Gauge(
            "understudy_last_batch_timestamp_seconds",
            "When a batch last ran, in seconds since the epoch, give or take one.",
            ["model", "version"],
            multiprocess_mode="max",
            registry=registry,
        )
        self.predictions = Counter(
            "understudy_predictions",
            "Instances predicted.",
            ["model", "version"],
            registry=registry,
        )
        self.in_flight = Gauge(
            "understudy_requests_in_flight",
            "Requests being handled now, over all workers.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.precision = Gauge(
            "understudy_precision",
            "1 for what a version multiplies in: float32, or bf16 where its card and the "
            "processor say so.",
            ["model", "version", "precision"],
            multiprocess_mode="max",
            registry=registry,
        )
        self.connections = Gauge(
            "understudy_connections",
            "Connections that a worker holds, by its process id; as of the last second.",
            ["worker"],
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.stuck_predictions = Gauge(
            "understudy_stuck_predictions",
            "Predictions that run although their time is up, over all workers; alert above 0.",
            ["model", "version"],
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.swaps = Counter(
            "understudy_swaps",
            "Versions that began to serve (ok) or were refused, counted by each worker.",
            ["model", "result"],
            registry=registry,
        )
        self.last_refusal = Gauge(
            "understudy_last_refusal_timestamp_seconds",
            "When a version was last refused for a reason, in seconds since the epoch.",
            ["model", "reason"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.live_since = Gauge(
            "understudy_live_since_timestamp_seconds",
            "When the versions that serve began to, in seconds since the epoch.",
            ["model"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.load_seconds = Histogram(
            "understudy_load_seconds",
            "Seconds that a new version spent in verifying, loading, warming or proving.",
            ["model", "phase"],
            buckets=_LOAD_SECONDS,
            registry=registry,
        )
        self.loads_left_behind = Gauge(
            "understudy_loads_left_behind",
            "Loads that were given up, because of their time or their folder, and still run.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.live_version = Gauge(
            "understudy_live_version",
            "The version that answers requests which name none; 0 when there is none.",
            ["model"],
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self.workers_ready = Gauge(
            "understudy_workers_ready",
            "Workers that have a model to serve.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.key_requests = Counter(
            "understudy_key_requests",
            "Requests by the names of their API keys; ok, limited, refused, or missing a key.",
            ["key", "result"],
            registry=registry,
        )
        self.key_file_problem = Gauge(
            "understudy_key_file_problem",
            "1 while the file of API keys cannot be used, and the last good one stays in force.",
            multiprocess_mode="livemax",
            registry=registry,
        )

        missing = Gauge(
            "understudy_metrics_missing",
            "Values that workers keep in memory alone, since there is no room for them.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        shared = metric_values.store()
        if shared is not None:
            shared.on_missing = missing.set
            missing.set(shared.missing)

        self._lock = threading.Lock()
        self._versions: dict[tuple[str, str], VersionMetrics] = {}
        self._answered: dict[tuple[str, str, int], Counter] = {}
        # How many servables there are of a version; and when those that have none ended, the
        # latest last.
        self._held = Tally[tuple[str, str]]()
        self._ended: dict[tuple[str, str], float] = {}

    def version(self, model: str, version: str) -> "VersionMetrics":
        """Return the metrics of one version of a model, looked up by their labels only once."""
        found = self._versions.get((model, version))
        return self._new_version(model, version) if found is None else found

    def begin_version(self, model: str, version: str) -> "VersionMetrics":
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
            return generate_latest(self._registry)
        shared.retry()
        self._tidy()
        fold(shared.folder, wait_s=0)
        return exposition(shared.folder)

    def samples(self, *, buckets_of: str = "") -> Iterator[Sample]:
        """Return the values of the metrics of all workers.

        Args:
            buckets_of: a histogram whose buckets are wanted as well, cumulated and in their order;
                where there is only one process, those of all are there.
        """
        shared = metric_values.store()
        if shared is not None:
            yield from samples(shared.folder, buckets_of=buckets_of)
            return
        for family in self._registry.collect():
            yield from family.samples

    def _new_version(self, model: str, version: str) -> "VersionMetrics":
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
        if shared is not None and not shared.hand_over(model, version):
            return  # The next time.
        del self._ended[model, version]
        self._versions.pop((model, version)).remove()
        for key in [key for key in self._answered if key[:2] == (model, version)]:
            del self._answered[key]
            self.requests.remove(*key)


class VersionMetrics:
    """What a prediction by one version of a model counts and times.

    Histograms, which are nine tenths of a version's values, have series from the first prediction
    on: with many models, most are seldom asked, and each worker keeps room for all it has.

    Attributes:
        request_seconds: of whole requests.
        failure_seconds: of those that failed.
        parse: seconds of a phase, as are ``validate``, ``wait``, ``infer`` and ``serialise``.
        predictions: instances predicted.
    """

    __slots__ = (
        "_batches",
        "_is_removed",
        "_last_batch",
        "_made",
        "_metrics",
        "_names",
        "_noted",
        "_precisions",
        "failure_seconds",
        "infer",
        "parse",
        "predictions",
        "request_seconds",
        "serialise",
        "validate",
        "wait",
    )
    request_seconds: Histogram
    parse: Histogram
    validate: Histogram
    wait: Histogram
    infer: Histogram
    serialise: Histogram

    def __init__(self, metrics: Metrics, model: str, version: str) -> None:
        self.failure_seconds = metrics.failure_seconds.labels(model, version)
        self.predictions = metrics.predictions.labels(model, version)
        self._metrics, self._names = metrics, (model, version)
        self._last_batch = metrics.last_batch.labels(model, version)
        self._batches: dict[int, Summary] = {}
        self._made: set[str] = set()
        self._is_removed = False
        self._noted = 0.0
        self._precisions = set[str]()

    def __getattr__(self, name: str) -> Histogram:
        """Return a histogram that is used for the first time."""
        if name != "request_seconds" and name not in _PHASES:
            raise AttributeError(name)
        if self._is_removed:
            # Who still holds this counts where its series will be ended again.
            found: Histogram = getattr(self._metrics.version(*self._names), name)
            return found
        self._made.add(name)
        if name == "request_seconds":
            found = self._metrics.request_seconds.labels(*self._names)
        else:
            found = self._metrics.phase_seconds.labels(*self._names, name)
        setattr(self, name, found)
        return found

    def note_batch(self, rows: int, seconds: float) -> None:
        """Count and time a batch that has run."""
        if rows > _EXACT_ROWS:
            rows = 1 << (rows - 1).bit_length()
        batches = self._batches.get(rows)
        if batches is None:
            batches = self._metrics.batch_seconds.labels(*self._names, rows)
            self._batches[rows] = batches
        batches.observe(seconds)
        now = time.time()
        if now - self._noted >= _NOTE_S:
            self._noted = now
            self._last_batch.set(now)

    def computes_in(self, precision: str) -> None:
        """Show what the version multiplies in."""
        self._precisions.add(precision)
        self._metrics.precision.labels(*self._names, precision).set(1)

    def remove(self) -> None:
        """Take the series out of their metrics."""
        metrics, names = self._metrics, self._names
        self._is_removed = True
        for metric in (metrics.failure_seconds, metrics.predictions, metrics.last_batch):
            metric.remove(*names)
        for name in self._made:
            if name == "request_seconds":
                metrics.request_seconds.remove(*names)
            else:
                metrics.phase_seconds.remove(*names, name)
        for precision in self._precisions:
            metrics.precision.remove(*names, precision)
        for rows in self._batches:
            metrics.batch_seconds.remove(*names, rows)
