"""The service's errors as gRPC has them."""

from typing import Any

import grpc

from service.api.http.responses import Response
from service.errors import ServiceError
from service.grpc.messages import message_class

STATUS = message_class("google.rpc.Status")
_BAD_REQUEST = message_class("google.rpc.BadRequest")
CONTENT_TYPE = "application/grpc+proto"
# The metadata that holds the whole status.
DETAILS = "grpc-status-details-bin"

# gRPC allows 8 KiB of metadata; in base64 the details take a third more, and the message is there
# twice.
_MOST_MESSAGE = 1000
_MOST_DETAILS = 3000

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
    409: grpc.StatusCode.ABORTED,
    412: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def status_code(http_status: int) -> grpc.StatusCode:
    """Return gRPC's code for an HTTP status."""
    default = grpc.StatusCode.INTERNAL if http_status >= 500 else grpc.StatusCode.INVALID_ARGUMENT
    return _CODES.get(http_status, default)


def status_of(error: ServiceError) -> Any:
    """Return a ``google.rpc.Status``; where the error names places, with a ``BadRequest``."""
    number: int = status_code(error.status).value[0]
    status = STATUS(code=number, message=error.message[:_MOST_MESSAGE])
    if error.details:
        places = _BAD_REQUEST()
        left = _MOST_DETAILS
        for path, messages in error.details.items():
            text = " ".join(messages)
            left -= len(path) + len(text)
            if left < 0:
                break
            places.field_violations.add(field=path, description=text)
        status.details.add().Pack(places)
    return status


def error_status(error: ServiceError) -> Response:
    """Return the response to a prediction that failed; its body is a ``google.rpc.Status``."""
    body: bytes = status_of(error).SerializeToString()
    return Response(body, CONTENT_TYPE, error.status, error.headers)
