"""The service without ``Server-Timing``, to measure what that costs."""

from service.asgi import Application, create_application
from service.monitoring.prediction_phases import PredictionPhases


def create_untimed() -> Application:
    """Return the service; its answers do not say what their phases took."""
    PredictionPhases.server_timing = lambda self: ""  # type: ignore[method-assign]
    return create_application()
