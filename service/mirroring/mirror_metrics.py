"""What a mirror has asked of its store, and how far it is behind, for Prometheus."""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from service.repository.object_store.bucket import Bucket
from service.repository.object_store.mirror import Outcome


class MirrorMetrics:
    """The metrics of one mirror."""

    def __init__(self, bucket: Bucket) -> None:
        """Metrics of a mirror of ``bucket``."""
        self._bucket = bucket
        self._last_success = self._in_step = 0.0
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def note(self, outcome: Outcome) -> None:
        """Note how a look ended."""
        if outcome.is_listed:
            self._last_success = time.time()
        if outcome.is_in_step:
            self._in_step = time.time()

    def exposition(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; for the registry."""
        requests = CounterMetricFamily(
            "understudy_mirror_requests",
            "Requests to the object store, by kind; one lists a thousand objects.",
            labels=["kind"],
        )
        failures = CounterMetricFamily(
            "understudy_mirror_failures",
            "Requests that the object store did not answer as it should, by kind.",
            labels=["kind"],
        )
        for kind in ("list", "get"):
            requests.add_metric([kind], self._bucket.requests[kind])
            failures.add_metric([kind], self._bucket.failures[kind])
        yield requests
        yield failures
        yield CounterMetricFamily(
            "understudy_mirror_received_bytes",
            "Bytes of objects that were fetched.",
            value=self._bucket.received,
        )
        yield GaugeMetricFamily(
            "understudy_mirror_last_success_timestamp_seconds",
            "When the store last answered a listing, in seconds since the epoch; 0: never.",
            value=self._last_success,
        )
        yield GaugeMetricFamily(
            "understudy_mirror_in_step_timestamp_seconds",
            "When the folder last held all that the store does, in seconds since the epoch.",
            value=self._in_step,
        )
