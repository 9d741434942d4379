"""Prometheus' text format of what all workers have counted, cheaply.

prometheus_client's own collector takes the labels of every series apart and checks every name at
each scrape: tens of milliseconds of Python's lock, for which dozens of threads contend while a
worker predicts. Here each series is taken apart once. The files have prometheus_client's format,
and what is written is the same (tests/service/monitoring/test_exposition.py compares them).
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from service.monitoring.metric_files import Value, how, merged, read_totals


@dataclass(frozen=True, slots=True)
class _Series:
    """What a key in a file says.

    Attributes:
        family: the metric's name.
        help: the metric's help.
        name: the series' name; for a bucket without its ending.
        labels: its labels as they are written, without a bucket's bound.
        pairs: the same as names and values.
        bound: a bucket's upper bound; ``None`` for all else.
    """

    family: str
    help: str
    name: str
    labels: str
    pairs: dict[str, str]
    bound: float | None


@dataclass(frozen=True, slots=True)
class _Merged:
    """The values of all processes.

    Attributes:
        kinds: each metric's type and help.
        values: the value of each series by metric, name and labels.
        buckets: the values of buckets, not cumulated, by metric, labels and bound.
        pairs: labels as they are written, as names and values.
    """

    kinds: dict[str, tuple[str, str]]
    values: defaultdict[str, dict[tuple[str, str], Value]]
    buckets: defaultdict[str, defaultdict[str, defaultdict[float, float]]]
    pairs: dict[str, dict[str, str]]


def exposition(folder: Path) -> bytes:
    """Return the metrics in ``folder``, where all processes keep them (``metric_files``)."""
    found = _merge(folder)
    lines = []
    for family, (kind, text) in sorted(found.kinds.items()):
        shown = f"{family}_total" if kind == "counter" else family
        lines += [f"# HELP {shown} {_escaped(text)}", f"# TYPE {shown} {kind}"]
        lines += _cumulated(family, found.buckets[family])
        lines += [
            f"{name}{labels} {floatToGoString(value)}"
            for (name, labels), (value, _) in found.values[family].items()
        ]
    return "".join(f"{line}\n" for line in lines).encode()


def samples(folder: Path, *, buckets_of: str = "") -> Iterator[Sample]:
    """Return the values of the metrics in ``folder``; of buckets, those of one histogram alone."""
    found = _merge(folder)
    for family, by_labels in found.buckets.items():
        for labels, counts in by_labels.items():
            pairs = found.pairs[labels]
            yield Sample(f"{family}_count", pairs, sum(counts.values()))
            if family == buckets_of:
                total = 0.0
                for bound in sorted(counts):
                    total += counts[bound]
                    yield Sample(f"{family}_bucket", {**pairs, "le": str(bound)}, total)
    for values in found.values.values():
        for (name, labels), (value, _) in values.items():
            yield Sample(name, found.pairs[labels], value)


# The keys of the last time, taken apart. What is not there any more is forgotten: versions come and
# go for as long as the service runs.
_known: dict[str, _Series] = {}


def _merge(folder: Path) -> _Merged:
    global _known
    known, seen = _known, dict[str, _Series]()
    found = _Merged({}, defaultdict(dict), defaultdict(lambda: defaultdict(_counts)), {})
    for kind, values in read_totals(folder):
        mode = how(kind)
        for key, value, timestamp in values:
            series = seen[key] = known.get(key) or _series(key)
            found.pairs[series.labels] = series.pairs
            found.kinds[series.family] = (kind.partition("_")[0], series.help)
            if series.bound is not None:
                found.buckets[series.family][series.labels][series.bound] += value
                continue
            place = (series.name, series.labels)
            before = found.values[series.family].get(place)
            found.values[series.family][place] = (
                (value, timestamp) if before is None else merged(mode, before, (value, timestamp))
            )
    _known = seen
    return found


def _counts() -> defaultdict[float, float]:
    return defaultdict(float)


def _series(key: str) -> _Series:
    family, name, labels, text = json.loads(key)
    bound = None
    if name == f"{family}_bucket":
        bound = float(labels.pop("le"))
    return _Series(family, text, name, _written(labels), labels, bound)


def _written(labels: dict[str, str]) -> str:
    quoted = {name: _escaped(value).replace('"', '\\"') for name, value in labels.items()}
    inner = ",".join(f'{name}="{value}"' for name, value in sorted(quoted.items()))
    return f"{{{inner}}}" if inner else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _cumulated(family: str, buckets: dict[str, defaultdict[float, float]]) -> Iterator[str]:
    for labels, counts in buckets.items():
        total = 0.0
        opening = f"{labels[:-1]}," if labels else "{"
        for bound in sorted(counts):
            total += counts[bound]
            le = "+Inf" if bound == math.inf else floatToGoString(bound)
            yield f'{family}_bucket{opening}le="{le}"}} {floatToGoString(total)}'
        yield f"{family}_count{labels} {floatToGoString(total)}"
