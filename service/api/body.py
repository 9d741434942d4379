"""The body of a request, as bytes, or a clear error."""

import io
import re
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from service.api.budget import UNCOUNTED_BYTES
from service.api.exchange import Exchange
from service.errors import InvalidRequestError, ServiceError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# The last is what curl calls a body unless told otherwise; TensorFlow Serving's own examples
# send it so.
JSON_TYPES = ("", "application/json", "application/x-www-form-urlencoded")
# What JavaScript and Python write, where orjson stumbles over it.
_NOT_JSON = re.compile(r"-?(NaN|nan|Inf|inf)")
# By what bodies are packed with: zlib's window of 32 KiB, with the header and checksum of gzip or,
# for deflate, of zlib itself (RFC 9110, 8.4.1.2).
_WINDOWS = {"gzip": 31, "deflate": 15}
# What zlib gets of a packed body at first; an empty member of gzip has 20 bytes.
_FIRST_BYTES = 256
# How much of a large body is read, and taken of the budget, at a time.
_STEP_BYTES = 256 * 1024


def media_type(environ: "WSGIEnvironment") -> str:
    """Return the body's media type in lower case, without parameters; empty when none is told."""
    told: str = environ.get("CONTENT_TYPE", "")
    return told.partition(";")[0].strip().lower()


def json_body(exchange: Exchange, *, most: int) -> bytes:
    """Return the body of a request that should bring JSON.

    Args:
        exchange: the request.
        most: the most bytes that the body may have, packed or not.

    Raises:
        ServiceError: 415, the content type is another; else as ``read_body``.
        InvalidRequestError: as ``read_body``.
    """
    told = media_type(exchange.environ)
    if told not in JSON_TYPES:
        raise ServiceError(
            f"Expected a body of Content-Type application/json, not {told[:60]!r}.", status=415
        )
    return read_body(exchange, most=most)


def json_value(body: bytes, loads: Callable[[bytes], Any] = orjson.loads) -> Any:
    """Return the JSON value in ``body``.

    Args:
        body: the body.
        loads: reads it, and raises what ``orjson.loads`` raises.

    Raises:
        InvalidRequestError: it is not strict JSON in UTF-8 (RFC 8259; so no NaN or Infinity).
    """
    if not body or body.isspace():
        raise InvalidRequestError("JSON Parse error: The document is empty.")
    try:
        return loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"JSON Parse error: {_explain(body, error)}") from error


def _explain(body: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        # orjson says this of the body's first character, wherever it is.
        return f"the body is not UTF-8: byte {wrong.start} is 0x{body[wrong.start]:02x}."
    hint = " JSON has no NaN and no Infinity." if _NOT_JSON.match(error.doc, error.pos) else ""
    return f"{error}.{hint}"


def read_body(exchange: Exchange, *, most: int) -> bytes:
    """Return the body of a request, unpacked when it came packed.

    What a large body takes of the worker's budget, the exchange holds until the request ends.

    Args:
        exchange: the request.
        most: the most bytes that the body may have, packed or not.

    Raises:
        ServiceError: 413, the body is larger; 415, it is packed in another way; 408, the worker's
            socket says that it did not come in time.
        UnavailableError: the worker's budget of bytes is used up.
        InvalidRequestError: the body ended early, or its chunks or its packing are malformed.
    """
    encoding = exchange.environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding not in ("", "identity", *_WINDOWS):
        raise ServiceError(
            f"Expected a Content-Encoding of gzip, deflate or identity, not {encoding[:60]!r}.",
            status=415,
            headers={"Accept-Encoding": "gzip, deflate"},
        )
    body = _read(exchange, most)
    return _unpack(exchange, body, encoding, most) if encoding in _WINDOWS else body


def _read(exchange: Exchange, most: int) -> bytes:
    environ = exchange.environ
    told = environ.get("CONTENT_LENGTH") or ""
    # WSGI promises an end of the input only where the server says so; without a length and that
    # there is no body.
    if not told and not environ.get("wsgi.input_terminated"):
        return b""
    if told and not (told.isascii() and told.isdecimal()):
        raise InvalidRequestError(f"Expected a Content-Length in bytes, not {told[:60]!r}.")
    if told and int(told) > most:
        raise _too_large(most)
    # One more than allowed, where the length is not told, shows that there is more.
    length = int(told) if told else most + 1
    read = environ["wsgi.input"].read
    body = _part(read, min(length, UNCOUNTED_BYTES))
    if len(body) == UNCOUNTED_BYTES < length:
        body = _read_on(exchange, body, length)
    if told and len(body) < length:
        raise _malformed()
    if len(body) > most:
        raise _too_large(most)
    return body


def _read_on(exchange: Exchange, start: bytes, length: int) -> bytes:
    """Read the rest of a body of at most ``length`` bytes, as far as the budget goes."""
    read = exchange.environ["wsgi.input"].read
    # A bytes object grown in place: the parts and the whole need not be held together.
    body = io.BytesIO()
    body.write(start)
    while left := length - body.tell():
        part = _part(read, min(left, _STEP_BYTES))
        if not part:
            break
        exchange.hold(len(part))
        body.write(part)
    return body.getvalue()


def _part(read: Callable[[int], bytes], count: int) -> bytes:
    try:
        return read(count)
    except ServiceError:
        raise
    except Exception as error:
        # Each WSGI server has exceptions of its own for what a client sends wrongly.
        raise _malformed() from error


def _unpack(exchange: Exchange, body: bytes, encoding: str, most: int) -> bytes:
    """Inflate no more than is allowed: a few kilobytes can claim to be gigabytes."""
    whole = io.BytesIO()
    packed = memoryview(body)
    try:
        # A gzip file may have several members, one after the other (RFC 1952, 2.2).
        while packed:
            member = zlib.decompressobj(_WINDOWS[encoding])
            # zlib copies what it gets beyond a member's end. Twice as much at each turn, and not
            # all at once, keeps a body of a million tiny members from being copied a million times.
            some = _FIRST_BYTES
            while not member.eof:
                if not packed:
                    raise InvalidRequestError(
                        f"The body is not whole: its {encoding} data ends early."
                    )
                before = whole.tell()
                whole.write(member.decompress(packed[:some], most + 1 - before))
                after = whole.tell()
                if after > most:
                    raise _too_large(most)
                if after > UNCOUNTED_BYTES:
                    exchange.hold(after - max(before, UNCOUNTED_BYTES))
                packed = packed[min(some, len(packed)) - len(member.unused_data) :]
                some *= 2
    except zlib.error as error:
        raise InvalidRequestError(
            f"The body is not {encoding}, as its Content-Encoding says."
        ) from error
    return whole.getvalue()


def _too_large(most: int) -> ServiceError:
    return ServiceError(f"The body is larger than {most} bytes.", status=413)


def _malformed() -> InvalidRequestError:
    return InvalidRequestError("The body is not well-formed: its chunks or its length are wrong.")
