"""Responses, on the event loop and in Flask, and the errors that become responses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from service.errors import ServiceError

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Response:
    """A response.

    Attributes:
        body: its body.
        content_type: what the body is.
        status: the HTTP status.
        headers: further headers.
    """

    body: bytes
    content_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def json_bytes(value: Any) -> bytes:
    """Return ``value`` as JSON, with whole numbers of any size, as a card may have them."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:  # It takes none of more than 64 bits.
        return json.dumps(value, ensure_ascii=False).encode()


def error_response(error: ServiceError) -> Response:
    """Return the response to a request that failed."""
    return Response(orjson.dumps(error.body()), JSON, error.status, error.headers)


def as_service_error(error: Exception, method: str, path: str) -> ServiceError:
    """Return any error as a ``ServiceError`` of a request of ``method`` for ``path``."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, HTTPException):
        return _translate(error, method, path)
    # The log says what went wrong; the client gets the id under which it does.
    failure = ServiceError("The service failed; its log says more under the request id.")
    failure.__cause__ = error
    return failure


def _translate(error: HTTPException, method: str, path: str) -> ServiceError:
    status = error.code or 500
    match error:
        case MethodNotAllowed():
            allowed = ", ".join(sorted(error.valid_methods or ()))
            message = f"{method} is not allowed here; allowed: {allowed}."
            return ServiceError(message, status=status, headers={"Allow": allowed})
        case _ if status == HTTPStatus.NOT_FOUND:
            message = f"Malformed request: {method} {path[:200]}; GET /v1/models lists the models."
        case _:
            message = error.description or HTTPStatus(status).phrase
    return ServiceError(message, status=status)
