"""What predictions on the event loop count, gathered for one turn of the loop.

A change of a shared value takes a lock and writes to a file, and a request makes sixteen of them.
The requests of a batch change the same values, so their changes are added up in Python and handed
on together. All of it belongs to the loop's thread.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from prometheus_client import Summary

from service.monitoring.prometheus_internals import add_to_histogram, bounds_of
from service.monitoring.prometheus_metrics import Metrics
from service.monitoring.version_metrics import VersionMetrics

# Objects that are kept for the next turns; far above what a service has versions and answers.
_MOST_KEPT = 1000


class GatheredSum:
    """Changes of a counter or a gauge."""

    __slots__ = ("_amount", "_forward", "_gathered", "_is_noted")

    def __init__(self, gathered: "GatheredMetrics", forward: Callable[[float], None]) -> None:
        self._gathered = gathered
        self._forward = forward
        self._amount = 0.0
        self._is_noted = False

    def inc(self, amount: float = 1) -> None:
        """Add to it."""
        if not self._is_noted:
            self._is_noted = True
            self._gathered.has_changed(self)
        self._amount += amount

    def dec(self, amount: float = 1) -> None:
        """Take from it."""
        self.inc(-amount)

    def flush(self) -> None:
        """Hand on what has been gathered."""
        amount, self._amount, self._is_noted = self._amount, 0.0, False
        if amount:
            self._forward(amount)


class GatheredHistogram:
    """Observations of a histogram."""

    __slots__ = ("_bounds", "_counts", "_find", "_gathered", "_sum")

    def __init__(self, gathered: "GatheredMetrics", find: Callable[[], Any]) -> None:
        self._gathered = gathered
        self._find = find
        self._bounds: list[float] = bounds_of(find())
        self._counts: dict[int, int] = {}
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        counts = self._counts
        if not counts:
            self._gathered.has_changed(self)
        bucket = bisect_left(self._bounds, value)
        counts[bucket] = counts.get(bucket, 0) + 1
        self._sum += value

    def flush(self) -> None:
        """Hand on what has been gathered."""
        counts, total = self._counts, self._sum
        self._counts, self._sum = {}, 0.0
        add_to_histogram(self._find(), counts, total)


class GatheredVersion:
    """What ``VersionMetrics`` counts of a prediction."""

    __slots__ = (
        "_find",
        "_gathered",
        "_predictions",
        "infer",
        "parse",
        "request_seconds",
        "serialise",
        "validate",
        "wait",
    )

    def __init__(self, gathered: "GatheredMetrics", find: Callable[[], VersionMetrics]) -> None:
        self.parse = GatheredHistogram(gathered, lambda: find().parse)
        self.validate = GatheredHistogram(gathered, lambda: find().validate)
        self.wait = GatheredHistogram(gathered, lambda: find().wait)
        self.infer = GatheredHistogram(gathered, lambda: find().infer)
        self.serialise = GatheredHistogram(gathered, lambda: find().serialise)
        self.request_seconds = GatheredHistogram(gathered, lambda: find().request_seconds)
        self._find = find
        self._gathered = gathered
        self._predictions: dict[str, GatheredSum] = {}

    def predictions(self, signature: str) -> GatheredSum:
        """Return the counter of instances that one of the version's signatures predicted."""
        found = self._predictions.get(signature)
        if found is None:
            found = self._predictions[signature] = GatheredSum(
                self._gathered, lambda amount: self._find().predictions(signature).inc(amount)
            )
        return found

    @property
    def failure_seconds(self) -> Summary:
        """Seconds of requests that failed; not gathered, since they are rare."""
        return self._find().failure_seconds


class GatheredMetrics:
    """The part of ``Metrics`` that requests change, for one event loop.

    Attributes:
        in_flight: requests being handled.
    """

    def __init__(self, metrics: Metrics, loop: asyncio.AbstractEventLoop) -> None:
        """Metrics of a loop, with nothing gathered yet.

        Args:
            metrics: what it is handed on to.
            loop: the loop.
        """
        self._metrics = metrics
        self._loop = loop
        self._changed: list[GatheredSum | GatheredHistogram] = []
        self._versions: dict[tuple[str, str], GatheredVersion] = {}
        self._answered: dict[tuple[str, str, int], GatheredSum] = {}
        self._queue_rejections: dict[str, GatheredSum] = {}
        self.in_flight = GatheredSum(self, metrics.in_flight.inc)

    def version(self, model: str, version: str) -> GatheredVersion:
        """Return what is gathered of a version."""
        found = self._versions.get((model, version))
        if found is None:
            found = GatheredVersion(self, lambda: self._metrics.version(model, version))
            self._versions[model, version] = found
        return found

    def answered(self, model: str, version: str, status: int) -> GatheredSum:
        """Return the counter of one kind of answer."""
        found = self._answered.get((model, version, status))
        if found is None:
            # Looked up anew each time: the series of a version that has ended may be gone.
            found = GatheredSum(
                self, lambda amount: self._metrics.answered(model, version, status).inc(amount)
            )
            self._answered[model, version, status] = found
        return found

    def queue_rejected(self, model: str) -> GatheredSum:
        """Return the counter of predictions that were refused because the queue is full."""
        found = self._queue_rejections.get(model)
        if found is None:
            found = GatheredSum(self, self._metrics.queue_rejected(model).inc)
            self._queue_rejections[model] = found
        return found

    def has_changed(self, changed: GatheredSum | GatheredHistogram) -> None:
        """Note what is to be handed on at the end of this turn of the loop."""
        if not self._changed:
            self._loop.call_soon(self.flush)
        self._changed.append(changed)

    def flush(self) -> None:
        """Hand on all that has been gathered."""
        changed, self._changed = self._changed, []
        for each in changed:
            each.flush()
        if len(self._versions) + len(self._answered) > _MOST_KEPT:
            self._versions.clear()
            self._answered.clear()
