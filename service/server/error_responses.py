"""The responses to requests that never reach the application, in the service's own words."""

from http import HTTPStatus

import orjson
from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from service.errors import ServiceError

_STATUSES: dict[type[Exception], tuple[int, str]] = {
    LimitRequestLine: (414, "The request line is too long."),
    LimitRequestHeaders: (431, "The request's headers are too large."),
    ExpectationFailed: (
        417,
        "The Expect header asks for something that this service does not support.",
    ),
    UnsupportedTransferCoding: (501, "The Transfer-Encoding is not supported."),
}


def is_foreseen(error: Exception) -> bool:
    """Whether it is the client's fault, or has a message of the service's own."""
    return isinstance(error, ParseException | ServiceError)


def response_to(error: Exception) -> bytes:
    """Return the whole HTTP response to an error before or after the application.

    It ends the connection.
    """
    known = _as_service_error(error)
    body = orjson.dumps(known.body())
    head = (
        f"HTTP/1.1 {known.status} {HTTPStatus(known.status).phrase}\r\n"
        "Connection: close\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def _as_service_error(error: Exception) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    for kind, (status, message) in _STATUSES.items():
        if isinstance(error, kind):
            return ServiceError(message, status=status)
    if isinstance(error, ParseException):
        return ServiceError("The request is not well-formed HTTP.", status=400)
    return ServiceError("The service failed; see its log.")
