"""What happens around every request: its id, its headers, its metrics, its log line, its errors."""

import logging
import re
from http import HTTPStatus
from time import perf_counter
from uuid import uuid4

import orjson
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from service.errors import ServiceError
from service.logs import log
from service.metrics import Metrics
from service.settings import Settings

# A client's own id is kept when it can stand in a header and a log without harm.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def observe(app: Flask, metrics: Metrics, settings: Settings) -> None:
    """Install the hooks and the error handlers on ``app``."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        g.start = perf_counter()
        # Set by the handler when it is known that there is such a model: a client must not be
        # able to make time series out of names it invents.
        g.model = g.version = ""
        g.failure = None
        metrics.in_flight.inc()

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = perf_counter() - g.start
        response.headers["X-Request-Id"] = g.request_id
        if g.version != "":
            response.headers["X-Model-Version"] = str(g.version)
            metrics.request_seconds.labels(g.model, g.version).observe(seconds)
        metrics.requests.labels(g.model, g.version, response.status_code).inc()
        _log_request(response, seconds, always=settings.access_log)
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        metrics.in_flight.dec()

    @app.errorhandler(ServiceError)
    def service_error(error: ServiceError) -> Response:
        return _error_response(error)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        return _error_response(_translate(error, settings))

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        # What went wrong is for the log; the client gets the id to ask about it.
        failure = ServiceError("The service failed; its log tells more under the request id.")
        failure.__cause__ = error
        return _error_response(failure)


def _error_response(error: ServiceError) -> Response:
    g.failure = error
    response = Response(orjson.dumps(error.body()), error.status, mimetype="application/json")
    response.headers.update(error.headers)
    return response


def _translate(error: HTTPException, settings: Settings) -> ServiceError:
    """Say in the service's words what Flask found wrong."""
    status = error.code or 500
    match error:
        case RequestEntityTooLarge():
            message = f"The body is larger than {settings.max_body_bytes} bytes."
        case MethodNotAllowed():
            allowed = ", ".join(sorted(error.valid_methods or ()))
            message = f"{request.method} is not allowed here; allowed: {allowed}."
            return ServiceError(message, status=status, headers={"Allow": allowed})
        case _ if status == HTTPStatus.NOT_FOUND:
            message = (
                f"Malformed request: {request.method} {request.path[:200]}; "
                "GET /v1/models lists the models."
            )
        case _:
            message = error.description or HTTPStatus(status).phrase
    return ServiceError(message, status=status)


def _log_request(response: Response, seconds: float, *, always: bool) -> None:
    failure: ServiceError | None = g.failure
    if failure is None and not always:
        return
    level = logging.INFO
    if failure is not None:
        level = logging.ERROR if failure.status >= 500 else logging.WARNING
    log(
        level,
        failure.message if failure else "Answered.",
        error=failure.__cause__ if failure and failure.status == 500 else None,
        request_id=g.request_id,
        method=request.method,
        path=request.path,
        status=response.status_code,
        model=g.model,
        version=g.version,
        milliseconds=round(seconds * 1000, 3),
        client=request.remote_addr,
    )
