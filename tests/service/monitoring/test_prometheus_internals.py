"""What the service uses of prometheus-client without its documentation is there, and does that."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, values

from service.monitoring.prometheus_internals import (
    LiveCounter,
    add_to_histogram,
    bounds_of,
    make_values_by,
    value_in_memory,
)


def test_metrics_make_their_values_by_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    made = []

    def make(kind: str, metric: str, name: str, labels: list[str], given: list[str], text: str):
        made.append((kind, metric, name, tuple(labels), tuple(given), text))
        return value_in_memory(kind, metric, name, labels, given, text)

    make_values_by(lambda *arguments, **_: make(*arguments[:6]))
    counter = Counter("things", "Help.", ["kind"], registry=CollectorRegistry())
    counter.labels("a").inc(2)
    assert made == [("counter", "things", "things_total", ("kind",), ("a",), "Help.")]


def test_a_histogram_takes_many_observations_at_once() -> None:
    registry = CollectorRegistry()
    histogram = Histogram("h", "Help.", ["of"], registry=registry, buckets=(1, 2)).labels("x")
    assert bounds_of(histogram) == [1, 2, float("inf")]
    add_to_histogram(histogram, {0: 3, 2: 1}, 12.5)
    count = {
        bound: registry.get_sample_value("h_bucket", {"of": "x", "le": bound})
        for bound in ("1.0", "2.0", "+Inf")
    }
    assert count == {"1.0": 3, "2.0": 3, "+Inf": 4}
    assert registry.get_sample_value("h_sum", {"of": "x"}) == 12.5


def test_a_live_counter_is_set_and_is_a_counter() -> None:
    registry = CollectorRegistry()
    counter = LiveCounter("seen", "Help.", ["worker"], registry=registry)
    counter.labels("1").set_to(5)
    counter.labels("1").set_to(7)
    assert registry.get_sample_value("seen_total", {"worker": "1"}) == 7
