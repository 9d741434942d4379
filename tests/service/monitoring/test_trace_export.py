"""OpenTelemetry is set up by its own variables, and nothing of it is there without them."""

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from service.monitoring.logs import LOGGER
from service.monitoring.trace_export import recorder_of


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the service logged: asyncio and other libraries log beside it, at any moment."""
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_SERVICE_NAME": "shop", "OTEL_TRACES_SAMPLER": "always_on"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": " TRUE "},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {"OTEL_TRACES_EXPORTER": ""},
        {"OTEL_METRICS_EXPORTER": "otlp"},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1"},
    ],
)
def test_nothing_is_traced_unless_that_is_asked_for(environ: Mapping[str, str]) -> None:
    assert recorder_of(environ) is None


def test_without_them_nothing_of_it_is_imported(repository_root: Path) -> None:
    script = (
        "import sys, service.monitoring.trace_export as export; export.recorder_of({}); "
        "import service.api.http.request_context; "
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", script], cwd=repository_root, check=True)


def test_a_missing_extra_is_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.monitoring.trace_export.find_spec", lambda _: None)
    assert recorder_of({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}) is None
    assert logged(caplog) == [
        "Requests are not traced, though OTEL_* variables ask for it: the extra 'traces' is not "
        "installed."
    ]


@pytest.mark.skipif(
    importlib.util.find_spec("opentelemetry") is None, reason="the extra traces is not installed"
)
@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "no package brings the exporter 'zipkin'"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier/pigeon"},
            "no package brings the exporter 'carrier/pigeon'",
        ),
    ],
)
def test_an_exporter_that_is_not_there_is_said(
    caplog: pytest.LogCaptureFixture, environ: Mapping[str, str], why: str
) -> None:
    assert recorder_of(environ) is None
    (message,) = logged(caplog)
    assert message.endswith(f": {why}.")


def test_what_an_exporter_says_ends_with_one_full_stop(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise ValueError(f"{name} takes no such endpoint.")

    monkeypatch.setattr("service.monitoring.trace_export.find_spec", lambda _: object())
    monkeypatch.setattr("service.monitoring.trace_export._load", refuse)
    assert recorder_of({"OTEL_TRACES_EXPORTER": "console"}) is None
    (message,) = logged(caplog)
    assert message.endswith(": console takes no such endpoint.")
