"""What is answered to a request, whichever way the answer leaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

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


def error_response(error: ServiceError) -> Response:
    """Return the one body that every failure becomes."""
    return Response(orjson.dumps(error.body()), JSON, error.status, error.headers)


def as_service_error(error: Exception, method: str, path: str) -> ServiceError:
    """Say in the service's words what went wrong with a request of ``method`` for ``path``."""
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, HTTPException):
        return _translate(error, method, path)
    # What went wrong is for the log; the client gets the id to ask about it.
    failure = ServiceError("The service failed; its log tells more under the request id.")
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
