"""``/v2/models/.../stats``: Triton's statistics, from the metrics of all workers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Blueprint
from prometheus_client.samples import Sample

from service.api.http.flask_hooks import current_context
from service.api.routes.oip_inference import V2, V2_SERVABLE_PATHS
from service.errors import NotFoundError
from service.monitoring.prometheus_metrics import Metrics
from service.runtime.lifecycle import Lifecycle

_NS = 1e9
_MS = 1e3

# A version's values by the sample's name and what its labels add to model and version.
_Values = Mapping[tuple[str, str], float]


def statistics_v2_routes(lifecycle: Lifecycle, metrics: Metrics) -> Blueprint:
    """Return the routes of the protocol's statistics extension."""
    blueprint = Blueprint("statistics_v2", __name__)

    @blueprint.get(f"{V2}/models/stats")
    def everything() -> dict[str, Any]:
        return model_statistics(lifecycle, metrics)

    def stats(model: str, version: int | None = None) -> dict[str, Any]:
        lifecycle.require(model)
        current_context().model = model
        return model_statistics(lifecycle, metrics, model, version)

    for path in V2_SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}/stats", view_func=stats)
    return blueprint


def model_statistics(
    lifecycle: Lifecycle, metrics: Metrics, model: str = "", version: int | None = None
) -> dict[str, Any]:
    """Return the statistics of all versions that serve, of those of a model, or of one.

    Raises:
        NotFoundError: there is no such model, or that version of it does not serve.
    """
    names = [model] if model else lifecycle.models()
    serving = {name: lifecycle.serving_versions(name) for name in names}
    if model and version is not None:
        if version not in serving[model]:
            raise NotFoundError(f"Version {version} of model {model!r} does not serve.")
        serving[model] = [version]
    values = _by_version(metrics.samples())
    return {
        "model_stats": [
            _stat(name, str(number), values[name, str(number)])
            for name, versions in serving.items()
            for number in versions
        ]
    }


def _by_version(samples: Iterable[Sample]) -> Mapping[tuple[str, str], _Values]:
    values: dict[tuple[str, str], dict[tuple[str, str], float]] = defaultdict(
        lambda: defaultdict(float)
    )
    for sample in samples:
        labels = sample.labels
        if "model" in labels and "version" in labels and "le" not in labels:
            own = labels.get("phase") or labels.get("rows") or ""
            # A version's predictions are counted by signature, which the protocol does not ask for.
            values[labels["model"], labels["version"]][sample.name, own] += sample.value
    return values


def _stat(model: str, version: str, values: _Values) -> dict[str, Any]:
    failed = _duration(values, "understudy_failure_seconds")
    every = _duration(values, "understudy_request_seconds")
    checked = _phase(values, "validate")
    batches = {
        int(rows): _duration(values, "understudy_batch_seconds", rows)
        for name, rows in tuple(values)
        if name == "understudy_batch_seconds_count"
    }
    nothing = {"count": 0, "ns": 0}
    return {
        "name": model,
        "version": version,
        "last_inference": int(values["understudy_last_batch_timestamp_seconds", ""] * _MS),
        "inference_count": int(values["understudy_predictions_total", ""]),
        "execution_count": sum(batch["count"] for batch in batches.values()),
        "inference_stats": {
            "success": {key: max(0, every[key] - failed[key]) for key in every},
            "fail": failed,
            "queue": _phase(values, "wait"),
            "compute_input": {**checked, "ns": checked["ns"] + _phase(values, "parse")["ns"]},
            "compute_infer": _phase(values, "infer"),
            "compute_output": _phase(values, "serialise"),
            "cache_hit": nothing,
            "cache_miss": nothing,
        },
        "batch_stats": [
            {
                "batch_size": rows,
                "compute_input": {**batch, "ns": 0},
                "compute_infer": batch,
                "compute_output": {**batch, "ns": 0},
            }
            for rows, batch in sorted(batches.items())
        ],
    }


def _phase(values: _Values, phase: str) -> dict[str, int]:
    return _duration(values, "understudy_phase_seconds", phase)


def _duration(values: _Values, metric: str, own: str = "") -> dict[str, int]:
    """Return the count and the nanoseconds of a histogram or a summary."""
    return {
        "count": int(values[f"{metric}_count", own]),
        "ns": int(values[f"{metric}_sum", own] * _NS),
    }
