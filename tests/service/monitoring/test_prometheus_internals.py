"""What the service uses of prometheus-client without its documentation is there, and does that."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, values

from service.monitoring.prometheus_internals import (
    add_to_histogram,
    bounds_of,
    key_of,
    make_values_by,
    read_values,
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


def test_files_are_read_by_their_keys(tmp_path: Path) -> None:
    from prometheus_client.mmap_dict import MmapedDict

    key = key_of("m", "m_total", ["a"], ["b"], "Help.")
    file = MmapedDict(str(tmp_path / "counter_1.db"))
    file.write_value(key, 2.0, 3.0)
    file.close()
    assert list(read_values(tmp_path / "counter_1.db")) == [(key, 2.0, 3.0)]
