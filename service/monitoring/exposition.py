"""Prometheus' text format of what all workers have counted, cheaply.

prometheus_client's own collector takes the labels of every series apart and checks every name at
each scrape: tens of milliseconds of Python's lock, for which dozens of threads contend while a
worker predicts. Here each series is taken apart once. The files have prometheus_client's format,
and what is written is the same (tests/service/monitoring/test_exposition.py compares them).
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from service.monitoring.metrics_folder import how, merged, read_totals
from service.monitoring.uncounted_processes import missing_parts


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """What a key in a file says; there is one object for each key.

    Attributes:
        key: the key.
        family: the metric's name.
        help: the metric's help.
        name: the series' name.
        labels: its labels as they are written, without a bucket's bound.
        pairs: the same as names and values.
        bound: a bucket's upper bound; ``None`` for all else.
        opening: its line, up to the value.
    """

    key: str
    family: str
    help: str
    name: str
    labels: str
    pairs: dict[str, str]
    bound: float | None
    opening: str


@dataclass(frozen=True, slots=True)
class _Family:
    """One metric of all processes.

    Attributes:
        kind: its type.
        series: its series but for buckets.
        buckets: its buckets, by the labels of their histogram.
    """

    kind: str
    series: list[_Series]
    buckets: dict[str, list[_Series]]


_Merged = tuple[dict[str, _Family], dict[_Series, float]]


def exposition(folder: Path) -> bytes:
    """Return the metrics in ``folder``, where all processes keep them (``metrics_folder``)."""
    families, values = _merge(folder)
    lines = []
    for name, family in sorted(families.items()):
        first = next(iter(family.series or next(iter(family.buckets.values()))))
        shown = f"{name}_total" if family.kind == "counter" else name
        lines += [f"# HELP {shown} {_escaped(first.help)}", f"# TYPE {shown} {family.kind}"]
        for labels, buckets in family.buckets.items():
            total = 0.0
            for series in sorted(buckets, key=_bound):
                total += values[series]
                lines.append(series.opening + _number(total))
            lines.append(f"{name}_count{labels} {_number(total)}")
        lines += [series.opening + _number(values[series]) for series in family.series]
    lines.append("")
    return "\n".join(lines).encode()


def samples(folder: Path, *, buckets_of: Collection[str] = ()) -> Iterator[Sample]:
    """Return the values of the metrics in ``folder``; of buckets, those of some alone."""
    families, values = _merge(folder)
    for name, family in families.items():
        for buckets in family.buckets.values():
            pairs, total = buckets[0].pairs, 0.0
            for series in sorted(buckets, key=_bound):
                total += values[series]
                if name in buckets_of:
                    yield Sample(series.name, {**pairs, "le": str(series.bound)}, total)
            yield Sample(f"{name}_count", pairs, total)
        for series in family.series:
            yield Sample(series.name, series.pairs, values[series])


# The keys of the last time, taken apart. What is not there any more is forgotten: versions come and
# go for as long as the service runs.
_known: dict[str, _Series] = {}


def _merge(folder: Path) -> _Merged:
    global _known
    known = _known
    families: dict[str, _Family] = {}
    values: dict[_Series, float] = {}
    timestamps: dict[_Series, float] = {}
    for kind, entries in read_totals(folder) + missing_parts(folder):
        mode = how(kind)
        for key, value, timestamp in entries:
            # Several threads may scrape at once: all have one object for a key.
            series = known.get(key) or known.setdefault(key, _series(key))
            if series in values:
                if mode == "sum":
                    values[series] += value
                else:
                    before = (values[series], timestamps[series])
                    values[series], timestamps[series] = merged(mode, before, (value, timestamp))
                continue
            values[series] = value
            if mode != "sum":
                timestamps[series] = timestamp
            family = families.get(series.family)
            if family is None:
                family = families[series.family] = _Family(kind.partition("_")[0], [], {})
            if series.bound is None:
                family.series.append(series)
            else:
                family.buckets.setdefault(series.labels, []).append(series)
    if len(known) > len(values):
        _known = {series.key: series for series in values}
    return families, values


def _series(key: str) -> _Series:
    family, name, labels, text = orjson.loads(key)
    bound = None
    if name == f"{family}_bucket":
        bound = float(labels.pop("le"))
    written = opening = written_labels(labels)
    if bound is not None:
        le = "+Inf" if bound == math.inf else floatToGoString(bound)
        opening = f'{f"{written[:-1]}," if written else "{"}le="{le}"}}'
    return _Series(key, family, text, name, written, labels, bound, f"{name}{opening} ")


def _bound(series: _Series) -> float:
    assert series.bound is not None
    return series.bound


def _number(value: float) -> str:
    # Further out Go writes an exponent sooner than Python.
    return repr(value) if -1e6 < value < 1e6 else floatToGoString(value)


def written_labels(labels: dict[str, str]) -> str:
    """Return labels as they are written after a series' name, sorted; nothing without any."""
    quoted = {name: _escaped(value).replace('"', '\\"') for name, value in labels.items()}
    inner = ",".join(f'{name}="{value}"' for name, value in sorted(quoted.items()))
    return f"{{{inner}}}" if inner else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
