"""``/livez``, ``/readyz`` and ``/metrics``: probes and Prometheus."""

from typing import Any

from flask import Blueprint
from flask import Response as FlaskResponse
from prometheus_client import CONTENT_TYPE_LATEST

from service.errors import UnavailableError
from service.monitoring.prometheus_metrics import Metrics
from service.runtime.lifecycle import Lifecycle


def health_routes(lifecycle: Lifecycle, metrics: Metrics) -> Blueprint:
    """Return the routes for probes and for Prometheus."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/livez")
    def livez() -> dict[str, Any]:
        return {"status": "live"}

    @blueprint.get("/readyz")
    def readyz() -> dict[str, Any]:
        require_ready(lifecycle)
        ready: dict[str, Any] = {"status": "ready"}
        if metrics.missing:
            ready["metrics"] = "incomplete: there is no room for them"
        if stuck := lifecycle.stuck():
            ready["stuck"] = stuck
        return ready

    @blueprint.get("/metrics")
    def exposition() -> FlaskResponse:
        return FlaskResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)

    return blueprint


def require_ready(lifecycle: Lifecycle) -> None:
    """Check that the service takes requests.

    Raises:
        UnavailableError: it is stopping, or no model serves yet.
    """
    if not lifecycle.ready:
        why = f"No model serves yet. {lifecycle.store_problem}".rstrip()
        if lifecycle.draining:
            why = "The service is stopping."
        raise UnavailableError(why, retry_after_s=1)
