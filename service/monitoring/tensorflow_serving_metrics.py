"""The metrics that dashboards of TensorFlow Serving show, under its names, from ours.

They are made of what is counted anyway when they are asked for, so that no request pays for them.
Hence a bucket's bounds are ours, in microseconds as there; and what is not counted apart here has
one label: every prediction counts as ``API="Predict"`` and ``entrypoint="REST"``.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.samples import Sample

from service.errors import CODES
from service.monitoring.exposition import written_labels

_PREFIX = ":tensorflow:serving:"
_MICROSECONDS = 1e6
_REQUESTS = "understudy_requests_total"
_REQUEST_SECONDS = "understudy_request_seconds"
_PHASE_SECONDS = "understudy_phase_seconds"
_LOAD_SECONDS = "understudy_load_seconds"
# Whose buckets are needed.
HISTOGRAMS = (_REQUEST_SECONDS, _PHASE_SECONDS, _LOAD_SECONDS)

_Labels = tuple[tuple[str, str], ...]


class _Histogram:
    """A histogram over all versions of a model; the buckets are cumulated."""

    def __init__(self) -> None:
        self.buckets = defaultdict[float, float](float)
        self.sum = self.count = 0.0

    def add(self, sample: Sample, family: str) -> None:
        match sample.name.removeprefix(family):
            case "_bucket":
                self.buckets[float(sample.labels["le"])] += sample.value
            case "_sum":
                self.sum += sample.value
            case "_count":
                self.count += sample.value


def tensorflow_serving_exposition(samples: Iterable[Sample]) -> bytes:
    """Return metrics with TensorFlow Serving's names in Prometheus' text format.

    Args:
        samples: the service's own, with the buckets of ``HISTOGRAMS``.
    """
    requests = defaultdict[_Labels, float](float)
    latency = defaultdict[_Labels, _Histogram](_Histogram)
    runtime = defaultdict[_Labels, _Histogram](_Histogram)
    warmup = defaultdict[_Labels, _Histogram](_Histogram)
    for sample in samples:
        name, labels = sample.name, sample.labels
        model = labels.get("model", "")
        if not model:
            continue
        if name == _REQUESTS:
            status = int(labels["status"])
            # Without a version, only failures are predictions; the rest asks for the status.
            if labels["version"] or status >= 400:
                requests[("model_name", model), ("status", _code(status))] += sample.value
        elif name.startswith(_REQUEST_SECONDS):
            of_model = (("API", "Predict"), ("entrypoint", "REST"), ("model_name", model))
            latency[of_model].add(sample, _REQUEST_SECONDS)
        elif name.startswith(_PHASE_SECONDS) and labels["phase"] == "infer":
            of_model = (("API", "Predict"), ("model_name", model), ("runtime", "TF1"))
            runtime[of_model].add(sample, _PHASE_SECONDS)
        elif name.startswith(_LOAD_SECONDS) and labels["phase"] == "warming":
            # The paths of folders are not for those who may read metrics.
            warmup[("model_path", model), ("status", "OK")].add(sample, _LOAD_SECONDS)
    lines = [f"# TYPE {_PREFIX}request_count counter"]
    lines += [
        f"{_PREFIX}request_count{written_labels(dict(labels))} {_whole(value)}"
        for labels, value in sorted(requests.items())
    ]
    lines += _histogram("request_latency", latency)
    lines += _histogram("runtime_latency", runtime)
    lines += _histogram("model_warmup_latency", warmup)
    return "\n".join([*lines, ""]).encode()


def _code(status: int) -> str:
    if status < 400:
        return "OK"
    return CODES.get(status, "INVALID_ARGUMENT" if status < 500 else "INTERNAL")


def _histogram(name: str, histograms: Mapping[_Labels, _Histogram]) -> Iterator[str]:
    name = f"{_PREFIX}{name}"
    yield f"# TYPE {name} histogram"
    for labels, histogram in sorted(histograms.items()):
        named = dict(labels)
        for bound, count in sorted(histogram.buckets.items()):
            le = "+Inf" if bound == math.inf else f"{bound * _MICROSECONDS:.6g}"
            yield f"{name}_bucket{written_labels({**named, 'le': le})} {_whole(count)}"
        yield f"{name}_sum{written_labels(named)} {histogram.sum * _MICROSECONDS!r}"
        yield f"{name}_count{written_labels(named)} {_whole(histogram.count)}"


def _whole(count: float) -> str:
    return f"{count:.0f}"
