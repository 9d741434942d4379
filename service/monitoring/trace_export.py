"""Whether requests are traced with OpenTelemetry, which its own environment variables decide.

Without them nothing of OpenTelemetry is imported; the extra "traces" brings it.
"""

import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from service.monitoring.logs import log

if TYPE_CHECKING:
    from service.monitoring.span_recorder import SpanRecorder

_EXPORTER = "OTEL_TRACES_EXPORTER"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
# Under which packages of OpenTelemetry name their exporters.
_GROUP = "opentelemetry_traces_exporter"
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def recorder_of(environ: Mapping[str, str]) -> "SpanRecorder | None":
    """Return what records requests as spans; ``None`` unless the environment asks for that.

    To be called after any fork: the exporter has a thread. What cannot be had is logged, and the
    service goes on without traces.

    Args:
        environ: the environment of the process.
    """
    names = _exporters(environ)
    if not names:
        return None
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.sdk") is None:
        _warn("the extra 'traces' is not installed")
        return None
    try:
        exporters = [_load(name)() for name in names]
        recorder: type[SpanRecorder]
        recorder = import_module("service.monitoring.span_recorder").SpanRecorder
        return recorder(exporters)
    except Exception as error:
        # Whatever a variable holds that OpenTelemetry does not take.
        _warn(str(error).rstrip("."))
        return None


def _load(name: str) -> Callable[[], Any]:
    """Return what makes an exporter, which reads its own variables.

    Raises:
        LookupError: no package brings it.
    """
    found = next(iter(entry_points(group=_GROUP, name=name)), None)
    if found is None:
        raise LookupError(f"no package brings the exporter {name!r}")
    return cast(Callable[[], Any], found.load())


def _exporters(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the exporters that the environment asks for."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    named = environ.get(_EXPORTER, "").strip()
    if not named and any(environ.get(name, "").strip() for name in _ENDPOINTS):
        named = "otlp"  # OpenTelemetry's default, once there is somewhere to send to.
    names = [name.strip() for name in named.split(",")]
    return [
        _otlp(environ) if name == "otlp" else name for name in names if name not in ("", "none")
    ]


def _otlp(environ: Mapping[str, str]) -> str:
    protocols = (environ.get(name, "").strip() for name in _PROTOCOLS)
    protocol = next(filter(None, protocols), "http/protobuf")
    return _OTLP.get(protocol, protocol)


def _warn(why: str) -> None:
    log(logging.WARNING, f"Requests are not traced, though OTEL_* variables ask for it: {why}.")
