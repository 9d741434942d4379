"""``GET /v1/models`` and below: models, the states of their versions, and their signatures."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint

from service.api.http.flask_hooks import current_context
from service.api.http.url_paths import SERVABLE_PATHS
from service.errors import NotFoundError
from service.events.event_log import EventLog
from service.repository.precision import Precision, why_not_here
from service.runtime.lifecycle import Lifecycle
from service.runtime.version_state import State, VersionStatus

# TensorFlow Serving has five states; ours are finer, and a failed version ends with a reason.
_WIRE_STATES = {
    State.DISCOVERED: "START",
    State.VERIFYING: "LOADING",
    State.LOADING: "LOADING",
    State.WARMING: "LOADING",
    State.PROVING: "LOADING",
    State.PROVED: "LOADING",
    State.AVAILABLE: "AVAILABLE",
    State.DRAINING: "UNLOADING",
    State.END: "END",
    State.FAILED: "END",
}


def model_routes(
    lifecycle: Lifecycle, events: EventLog | None = None, *, replica: str = ""
) -> Blueprint:
    """Return the routes that describe models.

    Args:
        lifecycle: has the models.
        events: where predictions are stored, if they are.
        replica: the name of the replica that answers.
    """
    blueprint = Blueprint("models", __name__)

    @blueprint.get("/v1/models")
    def list_models() -> dict[str, Any]:
        return {
            "replica": replica,
            "models": [_summary(lifecycle, name, events) for name in lifecycle.models()],
            "ignored": [asdict(item) for item in lifecycle.ignored()],
        }

    def status(model: str, version: int | None = None, label: str | None = None) -> dict[str, Any]:
        lifecycle.status(model)
        current_context().model = model
        return {"model_version_status": version_states(lifecycle, model, version, label)}

    def metadata(
        model: str, version: int | None = None, label: str | None = None
    ) -> dict[str, Any]:
        lifecycle.require(model)
        current_context().model = model
        with lifecycle.lease(model, version, label) as servable:
            current_context().version = servable.version
            return {
                "model_spec": {
                    "name": model,
                    "signature_name": "",
                    "version": str(servable.version),
                },
                "metadata": {"signature_def": {"signature_def": servable.signature_def}},
            }

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(path, view_func=status)
        blueprint.add_url_rule(f"{path}/metadata", view_func=metadata)
    return blueprint


def version_states(
    lifecycle: Lifecycle, model: str, version: int | None, label: str | None
) -> list[dict[str, Any]]:
    """Return the states of a model's versions, or of one of them, as TensorFlow Serving names them.

    Raises:
        NotFoundError: there is no such model, version or label.
    """
    known = lifecycle.status(model)
    if label is not None:
        with lifecycle.lease(model, label=label) as servable:
            version = servable.version
    if version is not None:
        known = [item for item in known if item.version == version]
        if not known:
            raise NotFoundError(f"There is no version {version} of model {model!r}.")
    return [_status(item) for item in known]


def _status(item: VersionStatus) -> dict[str, Any]:
    failed = item.state is State.FAILED
    return {
        "version": str(item.version),
        "state": _WIRE_STATES[item.state],
        "status": {
            "error_code": "FAILED_PRECONDITION" if failed else "OK",
            "error_message": item.reason,
        },
    }


def _precision(stated: Precision, used: Precision) -> dict[str, str]:
    return {
        "stated": str(stated),
        "used": str(used),
        "reason": "" if used is stated else f"Not available here: {why_not_here(stated)}.",
    }


def _summary(lifecycle: Lifecycle, name: str, events: EventLog | None) -> dict[str, Any]:
    """Describe one model: its card in short, what serves now, and the states of its versions."""
    summary: dict[str, Any] = {
        "name": name,
        "version": None,
        "labels": dict(lifecycle.labels(name)),
        "versions": [
            {"version": str(item.version), "state": str(item.state), "reason": item.reason}
            for item in lifecycle.status(name)
        ],
        "policy_problem": lifecycle.policy_problem(name),
    }
    if events is not None:
        summary["events"] = events.rates[name].to_json()
    if lifecycle.serves(name):
        with lifecycle.lease(name) as servable:
            summary["version"] = str(servable.version)
            summary["stuck"] = sorted(servable.stuck)
            summary["precision"] = _precision(
                servable.card.precision if servable.card else servable.precision,
                servable.precision,
            )
            summary["signatures"] = {
                signature.name: {
                    **signature.to_json(),
                    "batching": servable.independence[signature.name].to_json(),
                }
                for signature in servable.contract.values()
            }
            summary["left_out"] = dict(servable.contract.left_out)
            if servable.card:
                summary["title"] = servable.card.title
                summary["description"] = servable.card.description
                summary["evaluation"] = servable.card.evaluation
    return summary
