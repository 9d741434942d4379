"""Requests as OpenTelemetry's spans: the request, its phases, and the batches that it ran in.

Imported only where traces are exported (``trace_export``); the rest of the service does without
OpenTelemetry.
"""

import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace.span import TraceState

from service import __version__
from service.errors import ServiceError
from service.monitoring.harmless_text import without_keys
from service.monitoring.trace_context import RequestTrace, read_trace_context

_SERVICE = "understudy"
# Probes, scrapes and questions would bury the predictions.
_READING = frozenset(("GET", "HEAD", "OPTIONS"))

Attributes = dict[str, str | int]


class SpanRecording:
    """The span of one request that is under way.

    Attributes:
        span: the span.
        batches: the spans of the batches that it ran in.
    """

    __slots__ = ("_offset_ns", "batches", "span")

    def __init__(self, span: Span, offset_ns: int) -> None:
        self.span = span
        self.batches: list[SpanContext] = []
        self._offset_ns = offset_ns

    def moment(self, seconds: float) -> int:
        """Return a time of ``time.perf_counter`` in nanoseconds since the epoch.

        All times of a request are relative to its beginning, so that the machine's clock may be
        set meanwhile.
        """
        return int(seconds * 1e9) + self._offset_ns


class SpanRecorder:
    """Records requests. Its methods may be called from any thread."""

    def __init__(self, exporters: Iterable[SpanExporter]) -> None:
        """A recorder whose sampler, limits and resource the environment sets, as the SDK has it.

        Args:
            exporters: where spans go.
        """
        own: dict[str, Any] = {
            "service.name": _SERVICE,
            "service.version": __version__,
            "process.pid": os.getpid(),
        }
        told = OTELResourceDetector().detect().attributes
        self._provider = TracerProvider(resource=Resource.create({**own, **told}))
        for exporter in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("understudy", __version__)

    def begin(self, environ: Mapping[str, Any]) -> RequestTrace | None:
        """Begin the span of a request; ``None`` for one that only reads.

        Args:
            environ: its line and headers, as WSGI names them.
        """
        method = environ["REQUEST_METHOD"]
        if method in _READING:
            return None
        now_ns, now = time.time_ns(), perf_counter()
        span = self._tracer.start_span(
            "request",
            context=_caller(environ),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "url.path": _path(environ)},
            start_time=now_ns,
        )
        ids = span.get_span_context()
        recording = SpanRecording(span, now_ns - int(now * 1e9)) if span.is_recording() else None
        return RequestTrace(f"{ids.trace_id:032x}", f"{ids.span_id:016x}", recording)

    def end(
        self,
        recording: SpanRecording,
        end: float,
        attributes: Attributes,
        phases: Iterable[tuple[str, float, float]],
        failure: ServiceError | None,
    ) -> None:
        """End the span of a request, and record its phases.

        Args:
            recording: what ``begin`` made.
            end: when it was answered, in seconds of ``time.perf_counter``.
            attributes: what is known of it by now; empty texts are left out.
            phases: of a prediction: names, beginnings and seconds.
            failure: why it was refused, if it was.
        """
        span, moment = recording.span, recording.moment
        within = set_span_in_context(span, Context())
        for phase, start, seconds in phases:
            is_run = phase == "infer"
            links = [Link(batch) for batch in recording.batches] if is_run else ()
            child = self._tracer.start_span(phase, within, links=links, start_time=moment(start))
            child.end(moment(start + seconds))
        span.set_attributes(_texts(attributes))
        if failure is not None:
            span.set_attribute("error.type", failure.code)
            if failure.status >= 500:
                # Of a server's span only its own failures are errors (HTTP semantic conventions).
                span.set_status(Status(StatusCode.ERROR, _text(failure.message)))
        span.end(moment(end))

    def batch(
        self,
        attributes: Attributes,
        recordings: Sequence[SpanRecording],
        rows: int,
        began: float,
        ended: float,
    ) -> None:
        """Record a batch: in the trace of its first request, with links to all.

        Args:
            attributes: the model, version and signature.
            recordings: of the requests in it that are recorded; at least one.
            rows: how many it had, of all requests.
            began: when it began to run, in seconds of ``time.perf_counter``.
            ended: when it had run.
        """
        first = recordings[0]
        span = self._tracer.start_span(
            "batch",
            set_span_in_context(first.span, Context()),
            attributes={**_texts(attributes), "understudy.rows": rows},
            links=[Link(recording.span.get_span_context()) for recording in recordings],
            start_time=first.moment(began),
        )
        span.end(first.moment(ended))
        for recording in recordings:
            recording.batches.append(span.get_span_context())

    def close(self, timeout_s: float) -> None:
        """Export what has been recorded; a receiver that does not answer is not waited for longer.

        Args:
            timeout_s: for how many seconds at most.
        """
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(timeout_s)


def _caller(environ: Mapping[str, Any]) -> Context:
    """Return the caller's span as the SDK takes it; an empty context where there is none."""
    caller = read_trace_context(environ)
    if caller is None:
        return Context()
    ids = SpanContext(
        int(caller.trace_id, 16),
        int(caller.parent_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if caller.is_sampled else TraceFlags.DEFAULT),
        trace_state=TraceState.from_header([caller.state] if caller.state else []),
    )
    return set_span_in_context(NonRecordingSpan(ids), Context())


def _path(environ: Mapping[str, Any]) -> str:
    path: str = environ.get("PATH_INFO", "")
    return without_keys(path.encode("latin-1").decode(errors="replace"))


def _texts(attributes: Attributes) -> Attributes:
    return {
        name: _text(value) if isinstance(value, str) else value
        for name, value in attributes.items()
        if value != ""
    }


def _text(value: str) -> str:
    """Return a text without API keys, and as UTF-8 can have it.

    A single one that it cannot have would lose all spans beside.
    """
    return without_keys(value.encode(errors="replace").decode())
