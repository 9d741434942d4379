"""What Triton's clients ask a server besides predictions: models, traces, logs, shared memory.

These routes report the present state, and change nothing.
"""

import logging
from collections.abc import Mapping
from typing import Any, NoReturn

from flask import Blueprint

from service.api.http.flask_hooks import current_context
from service.api.routes.oip_inference import V2, V2_MODEL
from service.errors import NotFoundError, ServiceError
from service.monitoring.logs import LOGGER
from service.runtime.lifecycle import Lifecycle
from service.settings.settings import Settings

# No traces are taken, so the other values have no effect.
TRACE_SETTINGS: Mapping[str, Any] = {
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
        return dict(TRACE_SETTINGS)

    def set_traces(model: str | None = None) -> NoReturn:
        _require(model)
        refuse_trace_settings()

    @blueprint.get(f"{V2}/logging")
    def logs() -> dict[str, Any]:
        return log_settings(settings)

    @blueprint.post(f"{V2}/logging")
    def set_logs() -> NoReturn:
        refuse_log_settings()

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


def log_settings(settings: Settings) -> dict[str, Any]:
    """Return what is logged, as Triton names it."""
    logger = logging.getLogger(LOGGER)
    return {
        "log_file": "",
        "log_info": logger.isEnabledFor(logging.INFO),
        "log_warnings": logger.isEnabledFor(logging.WARNING),
        "log_errors": logger.isEnabledFor(logging.ERROR),
        "log_verbose_level": int(settings.access_log),
        "log_format": "ISO8601",
    }


def refuse_trace_settings() -> NoReturn:
    """Refuse to change what is traced.

    Raises:
        ServiceError: 405, always.
    """
    raise ServiceError(
        "Trace settings cannot be changed here: this service takes no traces.",
        status=405,
        headers=_READ_ONLY,
    )


def refuse_log_settings() -> NoReturn:
    """Refuse to change what is logged.

    Raises:
        ServiceError: 405, always.
    """
    raise ServiceError(
        "Log settings cannot be changed while the service runs; whether every request is "
        "logged is set by UNDERSTUDY_ACCESS_LOG.",
        status=405,
        headers=_READ_ONLY,
    )


def refuse_region(name: str) -> NoReturn:
    """Answer a question about a region of shared memory.

    Raises:
        NotFoundError: always, since there is none.
    """
    raise NotFoundError(
        f"There is no region {name[:100]!r}: this service shares no memory with clients."
    )


def refuse_shared_memory() -> NoReturn:
    """Refuse to take a region of shared memory.

    Raises:
        ServiceError: 501, always.
    """
    raise ServiceError(
        "Shared memory is not supported here; send tensors in the request.", status=501
    )


def _memory() -> list[Any]:
    return []


def _region(region: str) -> NoReturn:
    refuse_region(region)


def _register(region: str) -> NoReturn:
    refuse_shared_memory()


def _unregister(region: str = "") -> dict[str, Any]:
    # Clients do it before they register anything, to begin afresh; so it is already.
    return {}
