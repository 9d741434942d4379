"""``/v2/repository``: the models, and loading and unloading them, as in Triton.

The policy decides what serves, in every worker and after restarts. Unloading a model is written
there, beside the versions that serve when it is loaded again; loading removes that entry.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, request

from service.api.http.flask_hooks import current_context
from service.api.http.request_body import json_value, read_body
from service.api.routes.admin import attempt, authorise, change
from service.api.validation.error_messages import shorten
from service.errors import InvalidRequestError
from service.repository.model_source import ModelSource
from service.runtime.lifecycle import Lifecycle
from service.runtime.version_state import State
from service.runtime.wait_for_workers import wait_for_workers
from service.settings.settings import Settings

_REPOSITORY = "/v2/repository"
_MODEL = f"{_REPOSITORY}/models/<model:model>"

# Triton has five states; ours are finer.
_WIRE_STATES = {
    State.VERIFYING: "LOADING",
    State.LOADING: "LOADING",
    State.WARMING: "LOADING",
    State.PROVING: "LOADING",
    State.PROVED: "LOADING",
    State.AVAILABLE: "READY",
    State.DRAINING: "UNLOADING",
}
_ELSE = "UNAVAILABLE"


def repository_v2_routes(lifecycle: Lifecycle, store: ModelSource, settings: Settings) -> Blueprint:
    """Return the routes of the protocol's model repository extension.

    Args:
        lifecycle: knows the models.
        store: holds their versions and policies.
        settings: the admin token, which loading and unloading need, and the time they may take.
    """
    blueprint = Blueprint("repository_v2", __name__)

    @blueprint.post(f"{_REPOSITORY}/index")
    def index() -> list[dict[str, str]]:
        ready = _body(settings).get("ready", False)
        if not isinstance(ready, bool):
            raise InvalidRequestError(f"ready: Expected true or false, not {shorten(ready)}.")
        return repository_entries(lifecycle, store, ready=ready)

    @blueprint.post(f"{_MODEL}/load")
    def load(model: str) -> dict[str, Any]:
        authorise(settings.admin_token)
        _take_parameters({})
        return _change(model, unloaded=False)

    @blueprint.post(f"{_MODEL}/unload")
    def unload(model: str) -> dict[str, Any]:
        authorise(settings.admin_token)
        # No model has dependents here.
        _take_parameters({"unload_dependents": bool})
        return _change(model, unloaded=True)

    def _take_parameters(known: Mapping[str, type]) -> None:
        parameters = _body(settings).get("parameters", {})
        if not isinstance(parameters, dict):
            raise InvalidRequestError(f"parameters: Expected an object, not {shorten(parameters)}.")
        for key, value in parameters.items():
            if not isinstance(value, known.get(key, ())):
                raise InvalidRequestError(
                    f"parameters.{key[:100]}: Unknown; models and their configuration come from "
                    "the folder of models alone."
                )

    def _change(model: str, *, unloaded: bool) -> dict[str, Any]:
        if model not in store.models():
            lifecycle.require(model)
        current_context().model = model
        set_unloaded(lifecycle, store, settings, model, unloaded=unloaded)
        return {}

    return blueprint


def repository_entries(
    lifecycle: Lifecycle, store: ModelSource, *, ready: bool
) -> list[dict[str, str]]:
    """Return the versions of all models with their states; if ``ready``, those that serve."""
    names = sorted({*lifecycle.models(), *store.models()})
    entries = [entry for name in names for entry in _entries(lifecycle, store, name)]
    return [entry for entry in entries if not ready or entry["state"] == "READY"]


def set_unloaded(
    lifecycle: Lifecycle, store: ModelSource, settings: Settings, model: str, *, unloaded: bool
) -> None:
    """Write into a model's policy whether it is unloaded, and wait until all workers follow.

    Raises:
        ServiceError: as ``change`` and ``wait_for_workers``.
    """

    def in_force() -> bool:
        policy = attempt(lambda: store.policy(model), status=409)
        return policy.unloaded is unloaded

    if not in_force():
        change(store, model, lambda before: replace(before, unloaded=unloaded))
    wait_for_workers(lifecycle, model, in_force, unloaded=unloaded, timeout_s=settings.timeout_s)


def _body(settings: Settings) -> Mapping[str, Any]:
    """Return the request's JSON object; without a body, an empty one."""
    body = read_body(request.environ, most=settings.max_body_bytes)
    value = json_value(body) if body.strip() else {}
    if not isinstance(value, dict):
        raise InvalidRequestError(f"Expected a JSON object, not {shorten(value)}.")
    return value


def _entries(lifecycle: Lifecycle, store: ModelSource, name: str) -> list[dict[str, str]]:
    status = {}
    if name in lifecycle.models():
        status = {item.version: item for item in lifecycle.status(name)}
    entries = []
    for version in sorted({*status, *store.versions(name)}):
        item = status.get(version)
        entries.append(
            {
                "name": name,
                "version": str(version),
                "state": _WIRE_STATES.get(item.state, _ELSE) if item else _ELSE,
                "reason": item.reason if item else "The policy does not ask for it.",
            }
        )
    return entries
