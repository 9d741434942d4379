"""The service's errors as gRPC has them."""

from enum import IntEnum
from typing import Any

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


class GrpcCode(IntEnum):
    """How a call has ended."""

    OK = 0
    CANCELLED = 1
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


_CODES = {
    400: GrpcCode.INVALID_ARGUMENT,
    401: GrpcCode.UNAUTHENTICATED,
    403: GrpcCode.PERMISSION_DENIED,
    404: GrpcCode.NOT_FOUND,
    405: GrpcCode.UNIMPLEMENTED,
    408: GrpcCode.DEADLINE_EXCEEDED,
    409: GrpcCode.ABORTED,
    412: GrpcCode.FAILED_PRECONDITION,
    413: GrpcCode.RESOURCE_EXHAUSTED,
    429: GrpcCode.RESOURCE_EXHAUSTED,
    499: GrpcCode.CANCELLED,
    501: GrpcCode.UNIMPLEMENTED,
    503: GrpcCode.UNAVAILABLE,
    504: GrpcCode.DEADLINE_EXCEEDED,
}


def status_code(http_status: int) -> GrpcCode:
    """Return gRPC's code for an HTTP status."""
    default = GrpcCode.INTERNAL if http_status >= 500 else GrpcCode.INVALID_ARGUMENT
    return _CODES.get(http_status, default)


def status_of(error: ServiceError) -> Any:
    """Return a ``google.rpc.Status``; where the error names places, with a ``BadRequest``."""
    code = int(status_code(error.status))
    status = STATUS(code=code, message=error.message[:_MOST_MESSAGE])
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
    """Return the response to a call that failed; its body is a ``google.rpc.Status``."""
    body: bytes = status_of(error).SerializeToString()
    return Response(body, CONTENT_TYPE, error.status, error.headers)
