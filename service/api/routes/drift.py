"""``GET /v1/models/<m>/drift``: whether live rows look like those of the reference."""

import contextlib
from typing import Any

from flask import Blueprint

from service.api.http.flask_hooks import current_context
from service.api.http.url_paths import SERVABLE_PATHS
from service.events.audited_quality import AuditedQuality
from service.events.errors import StoreError
from service.events.event_log import EventLog
from service.monitoring.drift.drift_monitor import DriftMonitor
from service.monitoring.drift.drift_report import (
    NO_REFERENCE,
    OFF,
    drift_report,
    without_reference,
)
from service.runtime.lifecycle import Lifecycle


def drift_routes(
    lifecycle: Lifecycle, monitor: DriftMonitor | None, events: EventLog | None
) -> Blueprint:
    """Return the routes that report drift.

    Args:
        lifecycle: has the servables.
        monitor: compares their rows; ``None`` where that is off.
        events: has the audits that show live quality; ``None`` where no predictions are stored.
    """
    blueprint = Blueprint("drift", __name__)
    quality = AuditedQuality(events.store) if events is not None else None

    def drift(model: str, version: int | None = None, label: str | None = None) -> dict[str, Any]:
        lifecycle.require(model)
        current_context().model = model
        with lifecycle.lease(model, version, label) as servable:
            number, contract, card = servable.version, servable.contract, servable.card
        current_context().version = number
        if monitor is None:
            report = without_reference(OFF)
        else:
            seen = monitor.seen(model, str(number))
            report = without_reference(NO_REFERENCE) if seen is None else drift_report(seen)
        if quality is not None:
            # A store that cannot be used is told of elsewhere, and hides no drift.
            with contextlib.suppress(StoreError):
                report["live_quality"] = quality.report(model, number, contract, card)
        return {"model": model, "version": str(number), **report}

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}/drift", view_func=drift)
    return blueprint
