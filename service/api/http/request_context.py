"""One request and its answer: its id, its headers, its metrics, its line in the log."""

import asyncio
import itertools
import logging
import math
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from service.errors import ServiceError, UnavailableError, strip
from service.monitoring.gathered_metrics import GatheredMetrics
from service.monitoring.logs import log
from service.monitoring.metrics import Metrics

# A client's own id is kept when it can stand in a header and a log without harm.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
# Between lines about a model's refusals.
_REFUSALS_S = 1.0


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
        model: the model asked, once it is known that there is such a model: a client must not be
            able to make time series out of names it invents.
        version: the version that answers, once there is one.
        predicts: whether it is asked to predict, and not about itself.
        failure: why it is refused, if it is.
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


class RequestObserver:
    """Sees every request begin and end."""

    def __init__(self, metrics: Metrics | GatheredMetrics, *, access_log: bool) -> None:
        """Prepare.

        Args:
            metrics: where requests are counted and timed.
            access_log: whether requests that did not fail are logged as well.
        """
        self._metrics = metrics
        self._access_log = access_log
        # Random once, counted from there: a random number a request is a system call a request.
        self._ids = secrets.token_hex(10)
        self._count = itertools.count(1)
        # Of refusals for want of room, by model: when the last was logged, and how many since.
        self._refusals: dict[str, tuple[float, int]] = {}

    def begin(self, environ: Mapping[str, Any], client: str) -> RequestContext:
        """Take note of a request that has arrived; ``end`` must be called for it."""
        self._metrics.in_flight.inc()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        if not given or not _REQUEST_ID.fullmatch(given):
            # With the process, since an observer may be made before its workers are forked.
            given = f"{self._ids}-{os.getpid():x}-{next(self._count):x}"
        return RequestContext(environ, client, given, self._metrics)

    def on_loop(self, loop: asyncio.AbstractEventLoop) -> "RequestObserver":
        """Return one that sees what begins and ends on ``loop``, and on its thread alone."""
        assert isinstance(self._metrics, Metrics)
        return RequestObserver(GatheredMetrics(self._metrics, loop), access_log=self._access_log)

    def finish(self, context: RequestContext, status: int) -> dict[str, str]:
        """Count, time and log an answer; return the headers that it carries besides its own."""
        seconds = monotonic() - context.start
        headers = {"X-Request-Id": context.request_id}
        version = "" if context.version is None else str(context.version)
        if version:
            headers["X-Model-Version"] = version
        if context.predicts:
            metrics = self._metrics.version(context.model, version)
            metrics.request_seconds.observe(seconds)
            if context.failure is not None:
                metrics.failure_seconds.observe(seconds)
        self._metrics.answered(context.model, version, status).inc()
        if context.failure is not None or self._access_log:
            self._log(context, status, seconds)
        return headers

    def end(self, context: RequestContext) -> None:
        """Take note that a request is no longer being handled, and let go of what it held."""
        self._metrics.in_flight.dec()
        if context.failure is not None:
            strip(context.failure)
            context.failure = None

    def _log(self, context: RequestContext, status: int, seconds: float) -> None:
        failure, level = context.failure, logging.INFO
        refused = 0
        if isinstance(failure, UnavailableError):
            # Under overload a line for each would take the time that is missing.
            last, refused = self._refusals.get(context.model, (-math.inf, 0))
            if monotonic() - last < _REFUSALS_S:
                self._refusals[context.model] = (last, refused + 1)
                return
            self._refusals[context.model] = (monotonic(), 0)
        if failure is not None:
            # What is not supported is the client's mistake.
            mine = failure.status >= 500 and failure.status != 501
            level = logging.ERROR if mine else logging.WARNING
        environ = context.environ
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
            **({"refused_before": refused} if refused else {}),
        )
