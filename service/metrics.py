"""Prometheus metrics, right over several workers, their deaths and restarts.

With ``PROMETHEUS_MULTIPROC_DIR`` set before this module is first imported, every worker keeps
its numbers in files there and a scrape of any worker answers for all.
"""

import os

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.registry import Collector

MULTIPROCESS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"

# From what an idle machine needs for one row to the point where clients give up; each step
# about doubles.
_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)


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
            "Seconds from a request's arrival at its handler to its response.",
            ["model", "version"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.phase_seconds = Histogram(
            "understudy_phase_seconds",
            "Seconds that a prediction spent in a phase: parse, validate, infer or serialise.",
            ["model", "phase"],
            buckets=_SECONDS,
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
            buckets=(*_SECONDS, 60.0, 120.0, 300.0),
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

    def exposition(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format."""
        source: Collector = self._registry
        if os.environ.get(MULTIPROCESS_DIRECTORY):
            merged = CollectorRegistry()
            multiprocess.MultiProcessCollector(merged)
            source = merged
        return generate_latest(source)
