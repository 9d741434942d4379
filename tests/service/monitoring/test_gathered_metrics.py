"""What is gathered for a turn of the loop says what is counted at once."""

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from service.monitoring import prometheus_metrics as module
from service.monitoring.gathered_metrics import GatheredMetrics, GatheredVersion
from service.monitoring.prometheus_metrics import Metrics
from service.monitoring.version_metrics import VersionMetrics

NAMES = ("parse", "validate", "wait", "infer", "serialise", "request_seconds")
# Exactly on bounds of buckets, between them, below the first and above the last.
SECONDS = (0.0, 0.0001, 0.0005, 0.001, 0.0025, 0.003, 0.1, 0.7, 5.0, 1000.0)


def count(version: VersionMetrics | GatheredVersion, draw: Random) -> None:
    for name in NAMES:
        for _ in range(draw.randrange(6)):
            getattr(version, name).observe(draw.choice(SECONDS))
    for signature in ("serving_default", "other"):
        version.predictions(signature).inc(draw.randrange(1, 100))
    version.failure_seconds.observe(draw.choice(SECONDS))


def values(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (s.name, tuple(sorted(s.labels.items()))): float(f"{s.value:.12g}")
        for s in metrics.samples()
        if not s.name.endswith("_created")
    }


def gather(metrics: Metrics, work: Callable[[GatheredMetrics], None]) -> None:
    async def run() -> None:
        work(GatheredMetrics(metrics, asyncio.get_running_loop()))
        await asyncio.sleep(0)

    asyncio.run(run())


def test_it_counts_the_same() -> None:
    at_once, gathered = Metrics(), Metrics()
    for seed in range(20):
        model, version = f"m{seed % 3}", str(seed % 2)
        count(at_once.version(model, version), Random(seed))
        at_once.answered(model, version, 200).inc()
        at_once.in_flight.inc()

    def work(metrics: GatheredMetrics) -> None:
        for seed in range(20):
            model, version = f"m{seed % 3}", str(seed % 2)
            count(metrics.version(model, version), Random(seed))
            metrics.answered(model, version, 200).inc()
            metrics.in_flight.inc()

    gather(gathered, work)
    assert values(gathered) == values(at_once)


def test_nothing_is_handed_on_before_the_turn_is_over_and_nothing_twice() -> None:
    metrics = Metrics()

    def answered() -> float | None:
        labels = (("model", "m"), ("status", "200"), ("version", "1"))
        return values(metrics).get(("understudy_requests_total", labels))

    async def run() -> None:
        gathered = GatheredMetrics(metrics, asyncio.get_running_loop())
        for turn in range(1, 4):
            before = answered()
            gathered.answered("m", "1", 200).inc()
            gathered.answered("m", "1", 200).inc()
            assert answered() == before
            await asyncio.sleep(0)
            assert answered() == 2 * turn
            await asyncio.sleep(0)
            assert answered() == 2 * turn

    asyncio.run(run())


def test_what_begins_and_ends_in_one_turn_is_under_way_no_more() -> None:
    metrics = Metrics()

    def work(gathered: GatheredMetrics) -> None:
        gathered.in_flight.inc()
        gathered.in_flight.inc()
        gathered.in_flight.dec()

    gather(metrics, work)
    assert values(metrics)["understudy_requests_in_flight", ()] == 1


def test_a_version_that_came_back_counts_on(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its series were forgotten in between, and what was gathered of it must not go to those.
    monkeypatch.setattr(module, "_SHOWN_S", -1.0)
    metrics = Metrics()

    def work(gathered: GatheredMetrics) -> None:
        version = gathered.version("m", "1")
        metrics.end_version("m", "1")
        labels = (("model", "m"), ("signature", "serving_default"), ("version", "1"))
        assert ("understudy_predictions_total", labels) not in values(metrics)
        metrics.begin_version("m", "1")
        version.predictions("serving_default").inc(3)
        version.parse.observe(0.001)
        version.failure_seconds.observe(2.0)
        gathered.flush()
        found = values(metrics)
        assert found["understudy_predictions_total", labels] == 3
        assert 2.0 in found.values()

    metrics.begin_version("m", "1")
    gather(metrics, work)


def test_the_objects_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.monitoring.gathered_metrics._MOST_KEPT", 5)
    metrics = Metrics()

    async def run() -> None:
        gathered = GatheredMetrics(metrics, asyncio.get_running_loop())
        for version in range(20):
            gathered.answered("m", str(version), 200).inc()
            gathered.version("m", str(version)).predictions("serving_default").inc()
            await asyncio.sleep(0)
            assert len(gathered._versions) + len(gathered._answered) <= 5

    asyncio.run(run())
    answers = [
        value for (name, _), value in values(metrics).items() if name.endswith("requests_total")
    ]
    assert answers == [1.0] * 20
