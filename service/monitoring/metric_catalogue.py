"""The service's metrics: their names, meanings and labels, and how workers' values become one."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary

from service.monitoring import metric_values
from service.monitoring.uncounted_processes import MISSING_GAUGE, MISSING_HELP

metric_values.install()

# From what an idle machine needs for one row to the point where clients give up; each step
# about doubles.
REQUEST_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
# Coarser where there are many series: what a scrape costs grows with their buckets.
_PHASE_SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_LOAD_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


class MetricCatalogue:
    """The metrics that the service counts in, in a registry of their own."""

    def __init__(self) -> None:
        """Metrics with no values yet."""
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
            "1 while a rollout is undecided beyond its deadline, or cannot be decided at all.",
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
            "What was decided on rollouts: waiting, begin, next_step, promoted, live, held, "
            "rolled_back, changed_by_hand, ended_by_hand.",
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
        self.metrics_missing = Gauge(
            MISSING_GAUGE,
            MISSING_HELP,
            multiprocess_mode="livesum",
            registry=registry,
        )
