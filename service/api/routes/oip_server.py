"""What Triton's clients ask a server besides predictions: models, traces, logs, shared memory.

These routes report the present state, and change nothing.
"""

import logging
from typing import Any, NoReturn

from flask import Blueprint

from service.api.http.flask_hooks import current_context
from service.api.routes.oip_inference import V2, V2_MODEL
from service.errors import NotFoundError, ServiceError
from service.monitoring.logs import LOGGER
from service.runtime.lifecycle import Lifecycle
from service.settings.settings import Settings

# No traces are taken, so the other values have no effect.
_TRACES = {
    "trace_file": "",
    "trace_level": ["OFF"],
    "trace_rate": "1000",
    "trace_count": "-1",
    "log_frequency": "0",
    "trace_mode": "triton",
}
_READ_ONLY = {"Allow": "GET, HEAD, OPTIONS"}
_MEMORIES = ("system", "cuda")


def server_v2_routes(lifecycle: Lifecycle, settings: Settings) -> Blueprint:
    """Return the routes.

    Args:
        lifecycle: knows the models.
        settings: say what is logged.
    """
    blueprint = Blueprint("server_v2", __name__)

    @blueprint.get(f"{V2}/models")
    def models() -> dict[str, Any]:
        return {"models": lifecycle.models()}

    def traces(model: str | None = None) -> dict[str, Any]:
        _require(model)
        return dict(_TRACES)

    def set_traces(model: str | None = None) -> NoReturn:
        _require(model)
        raise ServiceError(
            "Trace settings cannot be changed here: this service takes no traces.",
            status=405,
            headers=_READ_ONLY,
        )

    @blueprint.get(f"{V2}/logging")
    def logs() -> dict[str, Any]:
        logger = logging.getLogger(LOGGER)
        return {
            "log_file": "",
            "log_info": logger.isEnabledFor(logging.INFO),
            "log_warnings": logger.isEnabledFor(logging.WARNING),
            "log_errors": logger.isEnabledFor(logging.ERROR),
            "log_verbose_level": int(settings.access_log),
            "log_format": "ISO8601",
        }

    @blueprint.post(f"{V2}/logging")
    def set_logs() -> NoReturn:
        raise ServiceError(
            "Log settings cannot be changed while the service runs; whether every request is "
            "logged is set by UNDERSTUDY_ACCESS_LOG.",
            status=405,
            headers=_READ_ONLY,
        )

    def _require(model: str | None) -> None:
        if model is not None:
            lifecycle.require(model)
            current_context().model = model

    for path in (f"{V2}/trace/setting", f"{V2_MODEL}/trace/setting"):
        blueprint.add_url_rule(path, view_func=traces)
        blueprint.add_url_rule(path, view_func=set_traces, methods=["POST"])
    for memory in _MEMORIES:
        path = f"{V2}/{memory}sharedmemory"
        blueprint.add_url_rule(f"{path}/status", "memory", _memory)
        blueprint.add_url_rule(f"{path}/unregister", "unregister", _unregister, methods=["POST"])
        region = f"{path}/region/<path:region>"
        blueprint.add_url_rule(f"{region}/status", "region", _region)
        blueprint.add_url_rule(f"{region}/register", "register", _register, methods=["POST"])
        blueprint.add_url_rule(f"{region}/unregister", "unregister", _unregister, methods=["POST"])
    return blueprint


def _memory() -> list[Any]:
    return []


def _region(region: str) -> NoReturn:
    raise NotFoundError(
        f"There is no region {region[:100]!r}: this service shares no memory with clients."
    )


def _register(region: str) -> NoReturn:
    raise ServiceError(
        "Shared memory is not supported here; send tensors in the request, as JSON or as binary "
        "data.",
        status=501,
    )


def _unregister(region: str = "") -> dict[str, Any]:
    # Clients do it before they register anything, to begin afresh; so it is already.
    return {}
