"""``GET /v1/models/<m>/drift``: whether live rows, and answers, are as the version's card says."""

import logging
from typing import Any

from flask import Blueprint

from service.api.http.flask_hooks import current_context
from service.api.http.url_paths import SERVABLE_PATHS
from service.events.audited_quality import quality_report, unknown_quality
from service.events.errors import StoreError
from service.events.event_log import EventLog
from service.monitoring.drift.drift_monitor import DriftMonitor
from service.monitoring.drift.drift_report import (
    NO_REFERENCE,
    OFF,
    drift_report,
    without_reference,
)
from service.monitoring.logs import log
from service.repository.model_card import Card
from service.runtime.lifecycle import Lifecycle


def drift_routes(
    lifecycle: Lifecycle, monitor: DriftMonitor | None, events: EventLog | None
) -> Blueprint:
    """Return the routes that report drift.

    Args:
        lifecycle: has the servables.
        monitor: compares their rows; ``None`` where that is off.
        events: has the audits of their answers; ``None`` where nothing is stored.
    """
    blueprint = Blueprint("drift", __name__)

    def drift(model: str, version: int | None = None, label: str | None = None) -> dict[str, Any]:
        lifecycle.require(model)
        current_context().model = model
        with lifecycle.lease(model, version, label) as servable:
            number, card = servable.version, servable.card
        current_context().version = number
        if monitor is None:
            report = without_reference(OFF)
        else:
            observed = monitor.observed(model, str(number))
            report = without_reference(NO_REFERENCE) if observed is None else drift_report(observed)
        quality = _quality(events, model, number, card)
        return {"model": model, "version": str(number), **report, "quality": quality}

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}/drift", view_func=drift)
    return blueprint


def _quality(
    events: EventLog | None, model: str, version: int, card: Card | None
) -> dict[str, Any]:
    if events is None:
        return unknown_quality("Predictions are not stored: UNDERSTUDY_EVENTS turns that on.")
    try:
        return quality_report(card, events.store.audited(model, version))
    except StoreError as error:
        # Where the store is does not concern clients.
        log(logging.ERROR, str(error), model=model)
        return unknown_quality("The event store cannot be read now.")
