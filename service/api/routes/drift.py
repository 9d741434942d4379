"""``GET /v1/models/<m>/drift``: whether live rows look like those of the reference."""

from typing import Any

from flask import Blueprint

from service.api.http.flask_hooks import current_context
from service.api.http.url_paths import SERVABLE_PATHS
from service.monitoring.drift.drift_monitor import DriftMonitor
from service.monitoring.drift.drift_report import (
    NO_REFERENCE,
    OFF,
    drift_report,
    without_reference,
)
from service.runtime.lifecycle import Lifecycle


def drift_routes(lifecycle: Lifecycle, monitor: DriftMonitor | None) -> Blueprint:
    """Return the routes that report drift.

    Args:
        lifecycle: has the servables.
        monitor: compares their rows; ``None`` where that is off.
    """
    blueprint = Blueprint("drift", __name__)

    def drift(model: str, version: int | None = None, label: str | None = None) -> dict[str, Any]:
        lifecycle.require(model)
        current_context().model = model
        with lifecycle.lease(model, version, label) as servable:
            number = servable.version
        current_context().version = number
        if monitor is None:
            report = without_reference(OFF)
        else:
            seen = monitor.seen(model, str(number))
            report = without_reference(NO_REFERENCE) if seen is None else drift_report(seen)
        return {"model": model, "version": str(number), **report}

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}/drift", view_func=drift)
    return blueprint
