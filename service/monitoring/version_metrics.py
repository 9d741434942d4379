"""What the predictions by one version of a model count and time."""

import time
from collections.abc import Mapping
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram, Summary

_PHASES = ("parse", "validate", "wait", "infer", "serialise")
# Up to here batches are counted by their exact numbers of rows; larger ones share a series with
# those up to the next power of two, since it is clients who say how many rows they send.
_EXACT_ROWS = 64
# Setting a gauge costs as much as counting a batch; to know when one last ran, this is enough.
_NOTE_S = 1.0


class VersionFamilies(Protocol):
    """The metrics that have series for each version, and where a version finds its own anew."""

    request_seconds: Histogram
    phase_seconds: Histogram
    failure_seconds: Summary
    batch_seconds: Summary
    last_batch: Gauge
    predictions: Counter
    precision: Gauge
    replica: str
    replica_serves: Gauge
    field_rows: Counter
    probability_sum: Counter
    drift_alarm: Gauge
    drift_evidence: Gauge
    drift_distance: Gauge

    def version(self, model: str, version: str) -> "VersionMetrics":
        """Return the metrics of a version."""
        ...


class VersionMetrics:
    """What a prediction by one version of a model counts and times.

    Histograms, which are nine tenths of a version's values, have series from the first prediction
    on: with many models, most are seldom asked, and each worker keeps room for all it has.

    Attributes:
        request_seconds: of whole requests.
        failure_seconds: of those that failed.
        parse: seconds of a phase, as are ``validate``, ``wait``, ``infer`` and ``serialise``.
    """

    __slots__ = (
        "_batches",
        "_drift",
        "_field_rows",
        "_is_removed",
        "_last_batch",
        "_made",
        "_metrics",
        "_names",
        "_noted",
        "_precisions",
        "_predictions",
        "_serves",
        "failure_seconds",
        "infer",
        "parse",
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

    def __init__(self, metrics: VersionFamilies, model: str, version: str) -> None:
        self.failure_seconds = metrics.failure_seconds.labels(model, version)
        self._metrics, self._names = metrics, (model, version)
        self._last_batch = metrics.last_batch.labels(model, version)
        self._batches: dict[int, Summary] = {}
        self._made: set[str] = set()
        self._is_removed = self._serves = False
        self._noted = 0.0
        self._precisions = set[str]()
        self._predictions: dict[str, Counter] = {}
        self._field_rows: dict[tuple[str, int], Counter] = {}
        # Fields of which drift is shown; ``None`` until any is.
        self._drift: set[str] | None = None

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

    def predictions(self, signature: str) -> Counter:
        """Return the counter of instances that one of the version's signatures predicted."""
        found = self._predictions.get(signature)
        if found is None:
            if self._is_removed:
                return self._metrics.version(*self._names).predictions(signature)
            found = self._metrics.predictions.labels(*self._names, signature)
            self._predictions[signature] = found
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
        now = time.monotonic()
        if now - self._noted >= _NOTE_S:
            self._noted = now
            self._last_batch.set(time.time())

    def computes_in(self, precision: str) -> None:
        """Show what the version multiplies in."""
        self._precisions.add(precision)
        self._metrics.precision.labels(*self._names, precision).set(1)

    def serves(self, serves: bool) -> None:
        """Show whether this replica answers with the version."""
        if not self._is_removed:
            self._serves = True
            self._metrics.replica_serves.labels(*self._names, self._metrics.replica).set(serves)

    def count_field_rows(self, field: str, place: int, rows: int) -> None:
        """Count rows of which a field is in a bin."""
        found = self._field_rows.get((field, place))
        if found is None:
            if self._is_removed:
                self._metrics.version(*self._names).count_field_rows(field, place, rows)
                return
            found = self._metrics.field_rows.labels(*self._names, field, place)
            self._field_rows[field, place] = found
        found.inc(rows)

    def add_probability(self, amount: float) -> None:
        """Add to the sum of what the most probable classes have as their probabilities."""
        if not self._is_removed:
            self._drift = self._drift or set()
            self._metrics.probability_sum.labels(*self._names).inc(amount)

    def show_drift(self, alarm: bool, evidence: float, distances: Mapping[str, float]) -> None:
        """Show the evidence of drift, and how far each field is from the reference."""
        if self._is_removed:
            return
        metrics, names = self._metrics, self._names
        shown = self._drift = self._drift or set()
        metrics.drift_alarm.labels(*names).set(alarm)
        metrics.drift_evidence.labels(*names).set(evidence)
        for field, distance in distances.items():
            shown.add(field)
            metrics.drift_distance.labels(*names, field).set(distance)

    def remove(self) -> None:
        """Take the series out of their metrics."""
        metrics, names = self._metrics, self._names
        self._is_removed = True
        for field, place in self._field_rows:
            metrics.field_rows.remove(*names, field, place)
        self._field_rows = {}
        if self._drift is not None:
            metrics.probability_sum.remove(*names)
            metrics.drift_alarm.remove(*names)
            metrics.drift_evidence.remove(*names)
            for field in self._drift:
                metrics.drift_distance.remove(*names, field)
        for metric in (metrics.failure_seconds, metrics.last_batch):
            metric.remove(*names)
        for name in self._made:
            if name == "request_seconds":
                metrics.request_seconds.remove(*names)
            else:
                metrics.phase_seconds.remove(*names, name)
        if self._serves:
            metrics.replica_serves.remove(*names, metrics.replica)
        for precision in self._precisions:
            metrics.precision.remove(*names, precision)
        for rows in self._batches:
            metrics.batch_seconds.remove(*names, rows)
        for signature in self._predictions:
            metrics.predictions.remove(*names, signature)
        self._predictions = {}
