"""How long predictions took, from what all workers have counted."""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass

from service.monitoring.metric_catalogue import REQUEST_SECONDS
from service.monitoring.prometheus_metrics import Metrics

_FAMILY = "understudy_request_seconds"
_FAILURES = "understudy_failure_seconds_count"
_BOUNDS = (*REQUEST_SECONDS, math.inf)


@dataclass(frozen=True, slots=True)
class RequestTimes:
    """How long the predictions of a version took.

    Attributes:
        requests: how many there were.
        failures: how many of them failed.
        buckets: how many took at most as long as each of ``REQUEST_SECONDS``, and longer than the
            one before; and last, how many took longer than all.
    """

    requests: int
    failures: int
    buckets: tuple[int, ...]


def read_request_times(metrics: Metrics) -> dict[tuple[str, str], RequestTimes]:
    """Return how long predictions took, by model and version."""
    cumulated = defaultdict[tuple[str, str], dict[float, int]](dict)
    failures = Counter[tuple[str, str]]()
    for sample in metrics.samples(buckets_of=(_FAMILY,)):
        if sample.name == f"{_FAMILY}_bucket":
            labels = sample.labels
            bound = float(labels["le"])
            cumulated[labels["model"], labels["version"]][bound] = int(sample.value)
        elif sample.name == _FAILURES:
            failures[sample.labels["model"], sample.labels["version"]] = int(sample.value)
    return {
        key: RequestTimes(max(found.values()), failures[key], _differences(found))
        for key, found in cumulated.items()
    }


def _differences(cumulated: dict[float, int]) -> tuple[int, ...]:
    """Return what each bucket holds alone; bounds that are missing hold nothing."""
    buckets, before = [], 0
    for bound in _BOUNDS:
        total = cumulated.get(bound, before)
        buckets.append(total - before)
        before = total
    return tuple(buckets)
