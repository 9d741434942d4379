"""Prometheus' text format of what all workers have counted, cheaply.

prometheus_client's own collector takes the labels of every series apart and checks every name at
each scrape: tens of milliseconds of Python's lock, for which dozens of threads contend while a
worker predicts. Here each series is taken apart once. The files are prometheus_client's, read by
its own code; what is written is the same (tests/service/test_exposition.py compares them).
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.utils import floatToGoString

# Far more series than a service has; what is forgotten is taken apart again.
_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class _Series:
    """What a key in a file says.

    Attributes:
        family: the metric's name.
        help: the metric's help.
        name: the series' name; for a bucket without its ending.
        labels: its labels as they are written, without a bucket's bound.
        bound: a bucket's upper bound; ``None`` for all else.
    """

    family: str
    help: str
    name: str
    labels: str
    bound: float | None


def exposition(folder: Path) -> bytes:
    """Return the metrics in ``folder``, where prometheus_client keeps those of all processes."""
    kinds: dict[str, tuple[str, str]] = {}
    # The value of each series by metric, and of buckets by metric, labels and bound.
    values: defaultdict[str, dict[tuple[str, str], tuple[float, float]]] = defaultdict(dict)
    buckets: defaultdict[str, defaultdict[str, defaultdict[float, float]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(float))
    )
    for file in sorted(folder.glob("*.db")):
        kind, *mode = file.stem.split("_")[:-1]
        how = mode[0].removeprefix("live") if mode else "sum"
        for key, value, timestamp in _read(file):
            series = _series(key)
            kinds[series.family] = (kind, series.help)
            if series.bound is not None:
                buckets[series.family][series.labels][series.bound] += value
                continue
            place = (series.name, series.labels)
            known = values[series.family].get(place)
            values[series.family][place] = (
                (value, timestamp) if known is None else _merged(how, known, (value, timestamp))
            )
    lines = []
    for family, (kind, text) in sorted(kinds.items()):
        shown = f"{family}_total" if kind == "counter" else family
        lines += [f"# HELP {shown} {_escaped(text)}", f"# TYPE {shown} {kind}"]
        lines += _cumulated(family, buckets[family])
        lines += [
            f"{name}{labels} {floatToGoString(value)}"
            for (name, labels), (value, _) in values[family].items()
        ]
    return "".join(f"{line}\n" for line in lines).encode()


def _read(file: Path) -> Iterator[tuple[str, float, float]]:
    try:
        for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(file)):
            yield key, value, timestamp
    except FileNotFoundError:
        return  # Of a worker that has ended since the folder was listed.


@lru_cache(_KEPT)
def _series(key: str) -> _Series:
    family, name, labels, text = json.loads(key)
    bound = None
    if name == f"{family}_bucket":
        bound = float(labels.pop("le"))
    return _Series(family, text, name, _written(labels), bound)


def _written(labels: dict[str, str]) -> str:
    quoted = {name: _escaped(value).replace('"', '\\"') for name, value in labels.items()}
    inner = ",".join(f'{name}="{value}"' for name, value in sorted(quoted.items()))
    return f"{{{inner}}}" if inner else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _merged(how: str, one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    match how:
        case "max":
            return max(one, other)
        case "min":
            return min(one, other)
        case "mostrecent":
            return max(one, other, key=lambda valued: valued[1])
        case _:
            return (one[0] + other[0], other[1])


def _cumulated(family: str, buckets: dict[str, defaultdict[float, float]]) -> Iterator[str]:
    for labels, counts in buckets.items():
        total = 0.0
        opening = f"{labels[:-1]}," if labels else "{"
        for bound in sorted(counts):
            total += counts[bound]
            le = "+Inf" if bound == math.inf else floatToGoString(bound)
            yield f'{family}_bucket{opening}le="{le}"}} {floatToGoString(total)}'
        yield f"{family}_count{labels} {floatToGoString(total)}"
