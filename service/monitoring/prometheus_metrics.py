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
from service.monitoring.key_metrics import KeyMetrics
from service.monitoring.metric_files import fold_ended_processes
from service.monitoring.process_metrics import ProcessMetrics
from service.monitoring.tensorflow_serving_metrics import (
    HISTOGRAMS,
    tensorflow_serving_exposition,
)
from service.monitoring.version_metrics import VersionMetrics
from service.monitoring.worker_restarts import restarts_from_zero

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

# Coarser where there are many series: what a scrape costs grows with their buckets.
_PHASE_SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_LOAD_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
# How long a version that has ended is still shown, so that its last counts are scraped, unless
# this many others of its model have ended since.
_SHOWN_S = 120.0
_MOST_SHOWN = 3


class Metrics:
    """The service's metrics, in a registry of their own."""

    def __init__(self, textfile: Path | None = None, *, replica: str = "") -> None:
        """Metrics with no values yet.

        Args:
            textfile: what another process counts, in Prometheus' text format; shown with them as
                far as it is there.
            replica: the name of the replica whose metrics they are.
        """
        self.replica = replica
        self._textfile = textfile
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
            "Instances predicted, by the signature that was called.",
            ["model", "version", "signature"],
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
        self.field_rows = Counter(
            "understudy_field_rows",
            "Rows answered, by what a field of theirs is like; bins are those of the reference.",
            ["model", "version", "field", "bin"],
            registry=registry,
        )
        self.probability_sum = Counter(
            "understudy_expected_right",
            "Answers that are right if the probabilities are: the sum of each answer's highest.",
            ["model", "version"],
            registry=registry,
        )
        self.drift_alarm = Gauge(
            "understudy_drift_alarm",
            "1 while there is evidence that rows are unlike those that a version was measured "
            "with.",
            ["model", "version"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.drift_evidence = Gauge(
            "understudy_drift_evidence",
            "Evidence of drift, the mean over all fields; from 1,000,000 on there is an alarm.",
            ["model", "version"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.drift_distance = Gauge(
            "understudy_drift_distance",
            "Jensen-Shannon distance of a field of the last rows from the reference, 0 to 1.",
            ["model", "version", "field"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.queue_rejections = Counter(
            "understudy_queue_rejections",
            "Predictions refused because UNDERSTUDY_MAX_QUEUE of the model were under way.",
            ["model"],
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
        self.replica_serves = Gauge(
            "understudy_replica_serves",
            "1 for a version that this replica answers with, 0 for one that it does not any more.",
            ["model", "version", "replica"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.worker_live_version = Gauge(
            "understudy_worker_live_version",
            "The version that a worker answers with, by its process id; 0 when there is none.",
            ["model", "worker"],
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.model_unavailable = Gauge(
            "understudy_model_unavailable",
            "1 while a model should answer and, in some worker, no version of it does.",
            ["model"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.refused_versions = Gauge(
            "understudy_refused_versions",
            "Versions that should serve now, by the policy, and were refused.",
            ["model"],
            multiprocess_mode="livemax",
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
        self.keys = KeyMetrics(self.key_requests)
        self.key_file_problem = Gauge(
            "understudy_key_file_problem",
            "1 while the file of API keys cannot be used, and the last good one stays in force.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.rollout_percent = Gauge(
            "understudy_rollout_percent",
            "The share of requests that a candidate on trial answers, in percent; NaN without one.",
            ["model"],
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self.rollout_held = Gauge(
            "understudy_rollout_held",
            "1 while a rollout is undecided beyond its deadline, and waits for evidence or you.",
            ["model"],
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self.rollout_evidence = Gauge(
            "understudy_rollout_evidence",
            "Evidence that a candidate does harm, by kind, as log10 of the e-value; the rollout "
            "ends where the mean over all kinds, together, reaches -log10 of its alpha.",
            ["model", "kind"],
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self.rollout_truths = Gauge(
            "understudy_rollout_truths",
            "Audits that are known of rows that both versions of a rollout answered.",
            ["model"],
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self.rollout_loss = Gauge(
            "understudy_rollout_loss",
            "The mean loss of both versions by these audits, from 0 to 1; and an upper bound of "
            "the candidate's minus the champion's, as difference_at_most.",
            ["model", "of"],
            multiprocess_mode="livemostrecent",
            registry=registry,
        )
        self.second_answers = Counter(
            "understudy_rollout_second_answers",
            "Sampled requests that the other version of a rollout was to answer again: answered, "
            "failed, or dropped because the worker was busy.",
            ["model", "result"],
            registry=registry,
        )
        self.rollout_decisions = Counter(
            "understudy_rollout_decisions",
            "What was decided on rollouts: begin, next_step, promoted, live, held, rolled_back.",
            ["model", "decision"],
            registry=registry,
        )
        self.events = Counter(
            "understudy_events",
            "Predictions stored as events: of the sample, for an error, or as unsure.",
            ["model", "reason"],
            registry=registry,
        )
        self.events_lost = Counter(
            "understudy_events_lost",
            "Sampled predictions not stored: queue full, too large, record refused, store failed.",
            ["model", "reason"],
            registry=registry,
        )
        self.event_store_problem = Gauge(
            "understudy_event_store_problem",
            "1 while a worker cannot write into the event store.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self.feedback = Counter(
            "understudy_feedback",
            "Truths sent, by source: stored, corrected, unchanged, or of nothing that is stored.",
            ["model", "source", "result"],
            registry=registry,
        )

        restarts_from_zero(registry)
        self.process = ProcessMetrics(registry)
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

        A worker that nobody asks would go on missing values though there is room again.
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
