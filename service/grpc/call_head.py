"""What the header of a call says."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.errors import ServiceError
from service.http2.errors import ErrorCode, StreamError
from service.http2.header_decoder import MOST_HEADER_BYTES
from service.http2.header_table import Field
from service.http2.request_fields import RequestFields, read_request_fields

# The metadata that a call may have, by the names that WSGI has for such headers.
_METADATA = {
    b"authorization": "HTTP_AUTHORIZATION",
    b"traceparent": "HTTP_TRACEPARENT",
    b"tracestate": "HTTP_TRACESTATE",
    b"x-api-key": "HTTP_X_API_KEY",
    b"x-forwarded-for": "HTTP_X_FORWARDED_FOR",
    b"x-request-id": "HTTP_X_REQUEST_ID",
    b"x-routing-key": "HTTP_X_ROUTING_KEY",
}
_CONTENT_TYPE = re.compile(rb"application/grpc(?:[+;].*)?")
_TIMEOUT = re.compile(rb"(\d{1,8})([HMSmun])")
_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_ENCODINGS = ("identity", "gzip", "deflate")
_SHOWN = 100

# Their last argument is the ``Call``, which has such a head itself.
Unary = Callable[[bytes, Any], None]
Streaming = Callable[[AsyncIterator[bytes], Any], AsyncGenerator[bytes]]
ServerStreaming = Callable[[bytes, Any], AsyncGenerator[bytes]]


@dataclass(frozen=True, slots=True)
class CallMethod:
    """A method that can be called; it has one of the three handlers.

    Attributes:
        most_bytes: the most bytes of a message of the client.
        predicts: whether it needs a key wherever there are any.
        administers: whether it needs the admin token.
        unary: begins to answer one message, and does so by ``Call.respond``.
        streaming: answers a client's messages with others.
        server_streaming: answers one message with several.
    """

    most_bytes: int
    predicts: bool = False
    administers: bool = False
    unary: Unary | None = None
    streaming: Streaming | None = None
    server_streaming: ServerStreaming | None = None


@dataclass(frozen=True, slots=True)
class CallHead:
    """The header of a call.

    Attributes:
        path: of the method.
        environ: its line and metadata, as WSGI names them; calls with the same header share it.
        method: what is called; ``None`` where the call is refused.
        timeout_s: seconds that the client waits; ``None`` for ever.
        encoding: what packed messages are packed with; empty where none are.
        problem: why the call is refused: an HTTP status, and a sentence.
        http_status: the HTTP status of a request that is not a gRPC call; 0 for calls.
    """

    path: str
    environ: Mapping[str, Any] = field(repr=False)
    method: CallMethod | None = None
    timeout_s: float | None = None
    encoding: str = ""
    problem: tuple[int, str] | None = None
    http_status: int = 0

    def error(self) -> ServiceError:
        """Return the error with which a call without a method is refused."""
        status, message = self.problem or (self.http_status, "This is not a gRPC call.")
        return ServiceError(message, status=status)


def read_call_head(fields: list[Field] | None, methods: Mapping[str, CallMethod]) -> CallHead:
    """Return what a header means.

    Args:
        fields: its fields; ``None`` where there were too many.
        methods: those that can be called, by their paths.

    Raises:
        StreamError: it is not a request's, or lacks ``te``, which gRPC clients send.
    """
    if fields is None:
        words = f"The metadata is larger than {MOST_HEADER_BYTES} bytes."
        return CallHead("/", _environ("/"), problem=(413, words))
    request = read_request_fields(fields)
    path = request.path.decode("latin-1")
    environ = _environ(path)
    if request.method != b"POST":
        return CallHead(path, environ, http_status=405)
    if not _CONTENT_TYPE.fullmatch(request.fields.get(b"content-type", b"")):
        return CallHead(path, environ, http_status=415)
    # Scripts of pages may not send it, so hosts need not be checked.
    if b"te" not in request.fields:
        raise StreamError(ErrorCode.INTERNAL_ERROR)
    for name, key in _METADATA.items():
        if (value := request.fields.get(name)) is not None:
            environ[key] = value.decode("latin-1")
    return _read_call(request, path, environ, methods)


def _read_call(
    request: RequestFields,
    path: str,
    environ: Mapping[str, Any],
    methods: Mapping[str, CallMethod],
) -> CallHead:
    timeout_s = None
    if (text := request.fields.get(b"grpc-timeout")) is not None:
        found = _TIMEOUT.fullmatch(text)
        if not found:
            words = f"grpc-timeout: Expected up to 8 digits and a unit, not {_shown(text)!r}."
            return CallHead(path, environ, problem=(400, words))
        timeout_s = int(found[1]) * _SECONDS[found[2]]
    encoding = _shown(request.fields.get(b"grpc-encoding", b"identity"))
    if encoding not in _ENCODINGS:
        words = f"grpc-encoding: Expected one of {', '.join(_ENCODINGS)}, not {encoding!r}."
        return CallHead(path, environ, problem=(501, words))
    method = methods.get(path)
    if method is None:
        words = f"There is no method {path[:_SHOWN]!r} here."
        return CallHead(path, environ, problem=(501, words))
    return CallHead(path, environ, method, timeout_s, "" if encoding == "identity" else encoding)


def _environ(path: str) -> dict[str, Any]:
    return {"REQUEST_METHOD": "POST", "PATH_INFO": path, "SERVER_PROTOCOL": "HTTP/2"}


def _shown(text: bytes) -> str:
    return text[:_SHOWN].decode("latin-1")
