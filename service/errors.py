"""The service's one error type, and the one JSON body that every failure becomes."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

# The names are gRPC's where it has one, as TensorFlow Serving maps them to HTTP
# (net_http's status map); HTTP's own where gRPC has none.
CODES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class ServiceError(Exception):
    """A failure that is reported to the client.

    Attributes:
        status: the HTTP status.
        message: one sentence for a person.
        details: the messages by path (``instances[3].width``), where there are several.
        headers: headers that the response must carry.
    """

    status = 500

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        details: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status or self.status
        self.details = details
        self.headers = headers or {}

    @property
    def code(self) -> str:
        """The error's machine-readable name."""
        return CODES.get(self.status) or HTTPStatus(self.status).name

    def body(self) -> dict[str, Any]:
        """Return the JSON body: ``error``, ``code`` and, where there are any, ``details``."""
        body: dict[str, Any] = {"error": self.message, "code": self.code}
        if self.details:
            body["details"] = self.details
        return body


class InvalidRequestError(ServiceError):
    """The request is not what the model or the protocol takes."""

    status = 400


class UnauthenticatedError(ServiceError):
    """The request has no API key, or not one that may ask this; or it lacks the admin token.

    Attributes:
        key_name: the name of the key that may not, for the log alone; empty where none is known.
    """

    status = 401

    def __init__(self, message: str, *, key_name: str = "") -> None:
        super().__init__(message, headers={"WWW-Authenticate": "Bearer"})
        self.key_name = key_name


class RateLimitedError(ServiceError):
    """The request's API key has used up its rate.

    Attributes:
        key_name: the key's name, for the log.
    """

    status = 429

    def __init__(self, key_name: str, *, retry_after_s: int) -> None:
        super().__init__(
            "This API key has sent more requests than it may for now.",
            headers={"Retry-After": str(retry_after_s)},
        )
        self.key_name = key_name


class NotFoundError(ServiceError):
    """What the request names does not exist."""

    status = 404


class UnavailableError(ServiceError):
    """What the request names cannot answer now; the client should try again."""

    status = 503

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after_s)})


class DeadlineError(ServiceError):
    """The request was not answered in the time that it had."""

    status = 504

    def __init__(self) -> None:
        super().__init__("The request timed out before its answer was ready.")


class AbandonedError(ServiceError):
    """The client has hung up; only metrics and logs see this."""

    status = 499

    def __init__(self) -> None:
        super().__init__("The client hung up before its answer was ready.")


def strip(error: BaseException) -> None:
    """Drop what keeps the frames of a failure alive: the tracebacks of ``error`` and its causes.

    An error that is kept in a variable, or in what a variable holds, forms a cycle with the frames
    of its traceback, and so does one behind it. Frames hold the request's body, and Python's
    collector, which counts objects and not bytes, takes its time to look for cycles.
    """
    left: list[BaseException | None] = [error]
    while left:
        # Cutting each link as it is followed also ends a chain that leads back to itself.
        current = left.pop()
        if current is not None:
            left += (current.__cause__, current.__context__)
            current.__traceback__ = current.__cause__ = current.__context__ = None
