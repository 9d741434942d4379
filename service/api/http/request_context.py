"""One request: its id, the headers of its response, its metrics, its line in the log."""

import asyncio
import itertools
import logging
import math
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from service.access.cross_origin import CrossOrigin
from service.access.trusted_proxies import TrustedProxies
from service.errors import (
    AbandonedError,
    RateLimitedError,
    ServiceError,
    UnauthenticatedError,
    UnavailableError,
    strip,
)
from service.monitoring.gathered_metrics import GatheredMetrics
from service.monitoring.logs import log
from service.monitoring.prediction_phases import PredictionPhases
from service.monitoring.prometheus_metrics import Metrics
from service.monitoring.server_timing import server_timing
from service.monitoring.trace_context import RequestTrace, begin_trace
from service.runtime.arm_counts import outcome_of
from service.runtime.batching import TraceBatch
from service.runtime.traffic_split import Arm

if TYPE_CHECKING:
    # OpenTelemetry's; there is one only where it is installed.
    from service.monitoring.span_recorder import SpanRecorder

# A client's own id is kept when it can stand in a header and a log without harm.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_REQUEST_ID_HEADER, _ROUTING_KEY = "HTTP_X_REQUEST_ID", "HTTP_X_ROUTING_KEY"
# Between lines in the log about a model's refusals.
_REFUSALS_S = 1.0


def _at_once(call: Callable[..., object], *arguments: Any) -> None:
    call(*arguments)


@dataclass(slots=True)
class RequestContext:
    """What is known of a request while it is handled.

    Attributes:
        environ: the request's line and headers, as WSGI names them; read-only, since requests with
            the same head may share it.
        client: the address of the client, for the log.
        request_id: the client's id, or one of our own.
        metrics: where it is counted and timed.
        start: when it arrived, in seconds of ``time.monotonic``.
        model: the model that the request names, once that is known to exist: a client must not be
            able to create time series with names that it invents.
        version: the version that answers, once there is one.
        predicts: whether it is a prediction, and not a question about the model.
        failure: why it is refused, if it is.
        key_name: the name of its API key; empty where it needs none.
        phases: what it has spent so far, from the moment on at which a version is found for it.
        trace: the trace it belongs to; ``None`` unless its caller says so or traces are exported.
        arm: where its outcome is counted, if a rollout chose the version that answers it.
        is_unfit: whether its answer, which a rollout counts, holds NaN or infinity.
    """

    environ: Mapping[str, Any]
    client: str
    request_id: str
    metrics: Metrics | GatheredMetrics
    start: float = field(default_factory=monotonic)
    model: str = ""
    version: int | None = None
    predicts: bool = False
    failure: ServiceError | None = None
    key_name: str = ""
    phases: PredictionPhases | None = None
    trace: RequestTrace | None = None
    arm: Arm | None = None
    is_unfit: bool = False

    @property
    def routing_key(self) -> str:
        """What decides which version answers it while a rollout is under way."""
        return self.environ.get(_ROUTING_KEY) or self.request_id

    @property
    def has_own_key(self) -> bool:
        """Whether the client chose that, so that other requests may have the same."""
        given = self.environ.get(_REQUEST_ID_HEADER)
        return bool(self.environ.get(_ROUTING_KEY)) or given == self.request_id


class RequestObserver:
    """Sees every request begin and end."""

    def __init__(
        self,
        metrics: Metrics | GatheredMetrics,
        *,
        access_log: bool,
        cross_origin: CrossOrigin | None = None,
        proxies: TrustedProxies | None = None,
        recorder: "SpanRecorder | None" = None,
        soon: Callable[..., object] = _at_once,
    ) -> None:
        """An observer that has seen no request yet.

        Args:
            metrics: where requests are counted and timed.
            access_log: whether requests that did not fail are logged as well.
            cross_origin: which pages may read responses; unset, those of this origin alone.
            proxies: whose word is taken for a client's address.
            recorder: exports traces; unset, none are.
            soon: calls a function with arguments, at once or once the answer has left.
        """
        self._metrics = metrics
        self.cross_origin = cross_origin or CrossOrigin(())
        self._proxies = proxies or TrustedProxies(())
        self._recorder = recorder
        self._soon = soon
        self._access_log = access_log
        # Random once, counted from there: a random number a request is a system call a request.
        self._ids = secrets.token_hex(10)
        self._count = itertools.count(1)
        # Of requests refused as overload or for their keys, by what was refused: when one was
        # last logged, and how many since.
        self._refusals: dict[str, tuple[float, int]] = {}

    def begin(self, environ: Mapping[str, Any], client: str) -> RequestContext:
        """Count a request that has arrived; ``end`` must be called for it."""
        self._metrics.in_flight.inc()
        given = environ.get(_REQUEST_ID_HEADER, "")
        if not given or not _REQUEST_ID.fullmatch(given):
            # With the process, since an observer may be made before its workers are forked.
            given = f"{self._ids}-{os.getpid():x}-{next(self._count):x}"
        client = self._proxies.client(environ, client)
        context = RequestContext(environ, client, given, self._metrics)
        if self._recorder is not None:
            context.trace = self._recorder.begin(environ)
        if context.trace is None and "HTTP_TRACEPARENT" in environ:
            context.trace = begin_trace(environ)
        return context

    def on_loop(self, loop: asyncio.AbstractEventLoop) -> "RequestObserver":
        """Return an observer of the requests on ``loop``, which only its thread may call."""
        assert isinstance(self._metrics, Metrics)
        return RequestObserver(
            GatheredMetrics(self._metrics, loop),
            access_log=self._access_log,
            cross_origin=self.cross_origin,
            proxies=self._proxies,
            recorder=self._recorder,
            soon=loop.call_soon,
        )

    def flush_counts(self) -> None:
        """Show what was counted to all threads and processes, before the loop's turn ends.

        A client that has its answer may ask for statistics in the same turn: uvloop reads sockets
        before it calls what was to be called soon.
        """
        if isinstance(self._metrics, GatheredMetrics):
            self._metrics.flush()

    def batch_tracer(self, model: str, version: int, signature: str) -> TraceBatch | None:
        """Return what records the batches of a signature; ``None`` where nothing is recorded."""
        if self._recorder is None:
            return None
        about: dict[str, str | int] = {
            "understudy.model": model,
            "understudy.version": version,
            "understudy.signature": signature,
        }
        return partial(self._recorder.batch, about)

    def finish(self, context: RequestContext, status: int) -> dict[str, str]:
        """Count, time and log a response; return its headers beside those of its own."""
        seconds = monotonic() - context.start
        headers = {"X-Request-Id": context.request_id}
        version = "" if context.version is None else str(context.version)
        if version:
            headers["X-Model-Version"] = version
        if context.phases is not None and (timing := server_timing(context.phases)):
            headers["Server-Timing"] = timing
        if context.trace is not None:
            headers["traceresponse"] = context.trace.response_header
            if context.trace.recording is not None:
                self._record(context, context.trace.recording, status)
        if self.cross_origin:
            headers |= self.cross_origin.headers(context.environ)
        if context.predicts:
            metrics = self._metrics.version(context.model, version)
            metrics.request_seconds.observe(seconds)
            if context.failure is not None:
                metrics.failure_seconds.observe(seconds)
        self._metrics.answered(context.model, version, status).inc()
        if context.arm is not None and status != AbandonedError.status:
            has_run = context.phases is not None and context.phases.has_run
            context.arm.note(
                outcome_of(status, is_unfit=context.is_unfit),
                is_refusal=400 <= status < 500 and not has_run,
            )
        if context.failure is not None or self._access_log:
            self._log(context, status, seconds)
        return headers

    def end(self, context: RequestContext) -> None:
        """Count a request that is no longer handled, and release what its failure holds."""
        self._metrics.in_flight.dec()
        if context.failure is not None:
            strip(context.failure)
            context.failure = None

    def _record(self, context: RequestContext, recording: Any, status: int) -> None:
        assert self._recorder is not None
        end = perf_counter()
        about: dict[str, str | int] = {
            "http.response.status_code": status,
            "client.address": context.client,
            "understudy.request_id": context.request_id,
            "understudy.model": context.model,
            "understudy.key": context.key_name,
        }
        if context.version is not None:
            about["understudy.version"] = context.version
        phases = [] if context.phases is None else context.phases.reached(end)
        self._soon(self._recorder.end, recording, end, about, phases, context.failure)

    def _log(self, context: RequestContext, status: int, seconds: float) -> None:
        failure, level = context.failure, logging.INFO
        refused = 0
        if isinstance(failure, UnavailableError | UnauthenticatedError | RateLimitedError):
            # Under overload, or while somebody tries keys, a line for each would take the time
            # that is missing.
            about = f"{failure.status} {getattr(failure, 'key_name', '')} {context.model}"
            last, refused = self._refusals.get(about, (-math.inf, 0))
            if monotonic() - last < _REFUSALS_S:
                self._refusals[about] = (last, refused + 1)
                return
            self._refusals[about] = (monotonic(), 0)
        if failure is not None:
            # An unsupported operation is the client's mistake.
            is_ours = failure.status >= 500 and failure.status != 501
            level = logging.ERROR if is_ours else logging.WARNING
        environ = context.environ
        key_name = context.key_name or getattr(failure, "key_name", "")
        log(
            level,
            failure.message if failure else "Answered.",
            error=failure.__cause__ if failure and failure.status == 500 else None,
            request_id=context.request_id,
            method=environ["REQUEST_METHOD"],
            path=environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace"),
            status=status,
            model=context.model,
            version=context.version,
            milliseconds=round(seconds * 1000, 3),
            client=context.client,
            **_ids(context.trace),
            **({"key": key_name} if key_name else {}),
            **({"refused_before": refused} if refused else {}),
        )


def _ids(trace: RequestTrace | None) -> dict[str, str]:
    return {} if trace is None else {"trace_id": trace.trace_id, "span_id": trace.span_id}
