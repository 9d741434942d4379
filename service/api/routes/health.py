"""``/livez``, ``/readyz`` and ``/metrics``: probes and Prometheus."""

from typing import Any

from flask import Blueprint
from flask import Response as FlaskResponse
from prometheus_client import CONTENT_TYPE_LATEST

from service.errors import UnavailableError
from service.monitoring.prometheus_metrics import Metrics
from service.runtime.lifecycle import Lifecycle

_METRICS = "/metrics"


def health_routes(
    lifecycle: Lifecycle, metrics: Metrics, tensorflow_serving_path: str = ""
) -> Blueprint:
    """Return the routes for probes and for Prometheus.

    Args:
        lifecycle: knows whether models serve.
        metrics: what is shown.
        tensorflow_serving_path: where they are shown with TensorFlow Serving's names as well;
            empty for nowhere.
    """
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

    @blueprint.get(_METRICS)
    def exposition() -> FlaskResponse:
        text = metrics.exposition
        if tensorflow_serving_path == _METRICS:
            text = metrics.tensorflow_serving_exposition
        return FlaskResponse(text(), content_type=CONTENT_TYPE_LATEST)

    if tensorflow_serving_path not in ("", _METRICS):

        @blueprint.get(tensorflow_serving_path)
        def tensorflow_serving_exposition() -> FlaskResponse:
            text = metrics.tensorflow_serving_exposition()
            return FlaskResponse(text, content_type=CONTENT_TYPE_LATEST)

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
