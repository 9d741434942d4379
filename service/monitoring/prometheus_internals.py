"""All that the service uses of prometheus-client without its documentation, as of 0.26.

- ``values.ValueClass`` is called with a metric's kind, names, labels, help and mode for each value
  that a metric has; ``values.MutexValue`` is what a process without a folder has.
- ``mmap_dict.mmap_key`` writes a value's names and labels as a key; ``MmapedDict``'s format is what
  ``mapped_metric_file`` writes and ``metric_file_reader`` reads.
- A ``Counter`` makes its value in ``_metric_init``.
- A ``Histogram`` with labels has ``_upper_bounds``, ``_buckets`` and ``_sum``, and a bucket holds
  what is above the bucket before it.

tests/service/monitoring/test_prometheus_internals.py uses each, so that an upgrade which drops one
fails there.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prometheus_client import Counter, Histogram, values
from prometheus_client.mmap_dict import mmap_key


def make_values_by(make: Callable[..., Any]) -> None:
    """Let metrics that are made from now on make their values by ``make``."""
    values.ValueClass = make


def value_in_memory(*arguments: Any, **options: Any) -> Any:
    """Make a value that only this process sees; the arguments are ``ValueClass``'s."""
    make: Any = values.MutexValue
    return make(*arguments, **options)


def key_of(
    metric: str, name: str, labels: Sequence[str], label_values: Sequence[str], text: str
) -> str:
    """Return the key of a value in a file."""
    key: str = mmap_key(metric, name, list(labels), list(label_values), text)
    return key


class LiveCounter(Counter):
    """A counter that another already counts, of which each process has its own.

    Its series end with the process.
    """

    def set_to(self, total: float) -> None:
        """Show the total, which must not fall while the process lives."""
        self._value.set(total)

    def _metric_init(self) -> None:
        self._value = values.ValueClass(
            self._type,
            self._name,
            f"{self._name}_total",
            self._labelnames,
            self._labelvalues,
            self._documentation,
            multiprocess_mode="livesum",
        )
        self._created = time.time()


def bounds_of(histogram: Histogram) -> list[float]:
    """Return the upper bounds of a histogram's buckets."""
    bounds: list[float] = histogram._upper_bounds
    return bounds


def add_to_histogram(histogram: Histogram, counts: Mapping[int, int], total: float) -> None:
    """Add many observations at once.

    Args:
        histogram: one with labels, or without any.
        counts: how many fall into each bucket, by the number of the bucket.
        total: the sum of what was observed.
    """
    histogram._sum.inc(total)
    for bucket, count in counts.items():
        histogram._buckets[bucket].inc(count)
