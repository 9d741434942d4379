"""How long requests took in turns with a part of the service and in turns without it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.alternation import Turn
from benchmarks.medians import MedianInterval

# Latencies are counted in bins a hundredth wide, from a microsecond to about half a minute.
_WIDTH = 1.01
_FIRST_NS = 1e3
_BINS = 1750
_RESAMPLES = 2000

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class QuantileByTurns:
    """One quantile of the latency.

    Attributes:
        without_ms: in the turns without the part, all together, in milliseconds.
        with_ms: in the turns with it.
        ratio: of the latter to the former, with its 95 % confidence interval.
    """

    without_ms: float
    with_ms: float
    ratio: MedianInterval


def read_times(path: Path) -> npt.NDArray[Any]:
    """Return what ``random_arrivals.c`` wrote: ``due_ns`` and ``took_ns`` of each request."""
    return np.fromfile(path, np.dtype([("due_ns", np.int64), ("took_ns", np.int64)]))


def quantile_by_turns(
    times: npt.NDArray[Any], pairs: Sequence[tuple[Turn, Turn]], quantile: float
) -> QuantileByTurns:
    """Compare a quantile of the latency in turns with a part and in turns without it.

    A machine's pauses make many neighbouring requests slow at once, so requests are not
    independent; the interval is that of a bootstrap which draws pairs of turns (a block bootstrap;
    Künsch 1989), by percentiles.

    Args:
        times: as ``read_times`` returns it.
        pairs: turns with the part and without it; a request belongs to the turn it was due in.
        quantile: which one, from 0 to 1.
    """
    counts = np.array([[_histogram(times, turn) for turn in pair] for pair in pairs])
    generator = np.random.default_rng(0)
    with_ns, without_ns = _quantiles(counts.sum(axis=0), quantile)
    ratios = []
    for _ in range(_RESAMPLES):
        drawn = counts[generator.integers(len(pairs), size=len(pairs))].sum(axis=0)
        one, other = _quantiles(drawn, quantile)
        ratios.append(one / other)
    low, high = np.percentile(ratios, (2.5, 97.5))
    interval = MedianInterval(with_ns / without_ns, float(low), float(high))
    return QuantileByTurns(without_ns / 1e6, with_ns / 1e6, interval)


def _histogram(times: npt.NDArray[Any], turn: Turn) -> Counts:
    due = times["due_ns"]
    took = times["took_ns"][(due >= turn.began_ns) & (due < turn.ended_ns)]
    bins = np.log(np.maximum(took, _FIRST_NS) / _FIRST_NS) / np.log(_WIDTH)
    return np.bincount(np.minimum(bins.astype(np.int64), _BINS - 1), minlength=_BINS)


def _quantiles(counts: Counts, quantile: float) -> list[float]:
    """Return the quantile of each row of counts, in nanoseconds."""
    return [
        _FIRST_NS * _WIDTH ** (np.searchsorted(np.cumsum(row), quantile * row.sum()) + 0.5)
        for row in counts
    ]
