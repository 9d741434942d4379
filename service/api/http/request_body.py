"""The body of a request, as bytes, or a clear error."""

import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from werkzeug.http import parse_options_header

from service.api.json.value_budget import admit_text
from service.api.validation.unique_keys import check_unique_keys
from service.errors import InvalidRequestError, ServiceError

# The last is curl's default, with which TensorFlow Serving's own examples are sent.
JSON_TYPES = ("", "application/json", "application/x-www-form-urlencoded")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WHITE_SPACE = b" \t\r\n"
# The keys by which a request of any of the protocols is known.
_REQUEST_KEYS = frozenset(("instances", "inputs", "examples", "signature_name"))
_REQUEST = re.compile(rb"\{\s*[\"']?(?:instances|inputs|examples|signature_name)[\"']?\s*:")
# The charsets in which a text may come, besides UTF-8.
_OTHER_CHARSETS = ("utf-16", "utf-16le", "utf-16be", "iso-8859-1", "windows-1252")
# What JavaScript and Python write, at the place where orjson rejects it.
_NOT_JSON = re.compile(r"-?(NaN|nan|Inf|inf)")
# By what bodies are packed with: zlib's window of 32 KiB, with the header and checksum of gzip or,
# for deflate, of zlib itself (RFC 9110, 8.4.1.2).
_WINDOWS = {"gzip": 31, "deflate": 15}
# Another name of gzip, which RFC 9110, 8.4.1.3 asks to take for it.
_ALIASES = {"x-gzip": "gzip"}
# What zlib gets of a packed body at first; an empty member of gzip has 20 bytes.
_FIRST_BYTES = 256


def media_type(environ: Mapping[str, Any]) -> str:
    """Return the body's media type in lower case, without parameters; empty without one."""
    content_type: str = environ.get("CONTENT_TYPE", "")
    return content_type.partition(";")[0].strip().lower()


def json_body(environ: Mapping[str, Any], *, most: int) -> bytes:
    """Return the body of a request that should bring JSON.

    Args:
        environ: the request's.
        most: the most bytes that the body may have, packed or not.

    Raises:
        ServiceError: 415, the content type is another, and the body is not a request in JSON; else
            as ``read_body``.
        InvalidRequestError: as ``read_body``.
    """
    return require_json(environ, read_body(environ, most=most))


def require_json(environ: Mapping[str, Any], body: bytes) -> bytes:
    """Return a body that should be JSON.

    Args:
        environ: the request's.
        body: its body.

    Raises:
        ServiceError: 415, the content type is another, and the body is not a request in JSON.
    """
    content_type = media_type(environ)
    if content_type in JSON_TYPES:
        return body
    request = json_request(environ, body)
    if request is None:
        raise ServiceError(
            f"Expected a body of Content-Type application/json, not {content_type[:60]!r}.",
            status=415,
        )
    return request


def json_request(environ: Mapping[str, Any], body: bytes) -> bytes | None:
    """Return a body as JSON in UTF-8 if it is a request in JSON, whatever its content type says.

    A browser's ``fetch`` sends a string as ``text/plain`` by default. A body that begins as the
    object of a request counts as one even if it is malformed, because it is not meant as text; a
    body that merely contains such an object does not.

    Args:
        environ: the request's; its content type may name a charset.
        body: its body.
    """
    content_type, options = parse_options_header(environ.get("CONTENT_TYPE", ""))
    charset = options.get("charset", "").strip().lower()
    if content_type.lower().startswith("text/") and charset in _OTHER_CHARSETS:
        try:
            body = body.decode(charset).encode()
        except UnicodeError:
            return None
    return body if is_json_request(body) else None


def is_json_request(body: bytes) -> bool:
    """Whether a body in UTF-8 is, or begins as, a request in JSON."""
    bare = body.removeprefix(_BYTE_ORDER_MARK).lstrip(_WHITE_SPACE)
    if not bare.startswith(b"{"):
        return False
    if _REQUEST.match(bare):
        return True
    try:
        value = _loads(bare)
    except (orjson.JSONDecodeError, ServiceError):
        return False
    return not _REQUEST_KEYS.isdisjoint(value)


def _loads(body: bytes) -> Any:
    admit_text(body)
    return orjson.loads(body)


def json_value(body: bytes, loads: Callable[[bytes], Any] = _loads) -> Any:
    """Return the JSON value in ``body``.

    Args:
        body: the body.
        loads: reads it, checks how many values it holds, and raises what ``orjson.loads`` raises.

    Raises:
        InvalidRequestError: it is not strict JSON in UTF-8 (RFC 8259; so no NaN or Infinity), or a
            name stands twice in an object.
        ServiceError: 413, it holds too many values.
    """
    # What editors on Windows put before UTF-8; a parser may ignore it (RFC 8259, 8.1).
    body = body.removeprefix(_BYTE_ORDER_MARK)
    if not body.strip():
        raise InvalidRequestError("JSON Parse error: The document is empty.")
    try:
        value = loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"JSON Parse error: {_explain(body, error)}") from error
    check_unique_keys(body, value)
    return value


def _explain(body: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        # orjson says this of the body's first character, wherever it is.
        return f"the body is not UTF-8: byte {wrong.start} is 0x{body[wrong.start]:02x}."
    hint = " JSON has no NaN and no Infinity." if _NOT_JSON.match(error.doc, error.pos) else ""
    return f"{error}.{hint}"


def read_body(environ: Mapping[str, Any], *, most: int) -> bytes:
    """Return the body of a request, unpacked when it came packed.

    Args:
        environ: the request's.
        most: the most bytes that the body may have, packed or not.

    Raises:
        ServiceError: 413, the body is larger; 415, it is packed in another way; 408, the worker's
            socket says that it did not come in time.
        InvalidRequestError: the body ended early, or its chunks or its packing are malformed.
    """
    encoding = content_encoding(environ)
    return unpacked(_read(environ, most), encoding, most)


def content_encoding(environ: Mapping[str, Any]) -> str:
    """Return how a body is packed; empty when it is not.

    Raises:
        ServiceError: 415, it is packed in a way that is not known here.
    """
    encoding: str = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    encoding = _ALIASES.get(encoding, encoding)
    if encoding not in ("", "identity", *_WINDOWS):
        raise ServiceError(
            f"Expected a Content-Encoding of gzip, deflate or identity, not {encoding[:60]!r}.",
            status=415,
            headers={"Accept-Encoding": "gzip, deflate"},
        )
    return encoding if encoding in _WINDOWS else ""


def unpacked(body: bytes, encoding: str, most: int) -> bytes:
    """Return a body as it was before it was packed.

    Args:
        body: the body, as it came.
        encoding: what ``content_encoding`` says.
        most: the most bytes that it may have.

    Raises:
        ServiceError: 413, it has more.
        InvalidRequestError: it is not packed in that way.
    """
    return _unpack(body, encoding, most) if encoding else body


def too_large(most: int) -> ServiceError:
    """Return the error of a body of more than ``most`` bytes."""
    return ServiceError(f"The body is larger than {most} bytes.", status=413)


def _read(environ: Mapping[str, Any], most: int) -> bytes:
    length = environ.get("CONTENT_LENGTH") or ""
    # WSGI promises an end of the input only where the server says so; without that and without a
    # length there is no body.
    if not length and not environ.get("wsgi.input_terminated"):
        return b""
    if length and not (length.isascii() and length.isdecimal()):
        raise InvalidRequestError(f"Expected a Content-Length in bytes, not {length[:60]!r}.")
    if length and int(length) > most:
        raise too_large(most)
    try:
        # One byte more than allowed, where the length is unknown, shows that there are more.
        body: bytes = environ["wsgi.input"].read(int(length) if length else most + 1)
    except ServiceError:
        raise
    except Exception as error:
        # Each WSGI server has exceptions of its own for what a client sends wrongly.
        raise _malformed() from error
    if length and len(body) < int(length):
        raise _malformed()
    if len(body) > most:
        raise too_large(most)
    return body


def _unpack(body: bytes, encoding: str, most: int) -> bytes:
    """Inflate no more than is allowed: a few kilobytes can claim to be gigabytes."""
    parts: list[bytes] = []
    left = most + 1
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
                parts.append(member.decompress(packed[:some], left))
                left -= len(parts[-1])
                if left <= 0:
                    raise too_large(most)
                packed = packed[min(some, len(packed)) - len(member.unused_data) :]
                some *= 2
    except zlib.error as error:
        raise InvalidRequestError(
            f"The body is not {encoding}, as its Content-Encoding says."
        ) from error
    return b"".join(parts)


def _malformed() -> InvalidRequestError:
    return InvalidRequestError("The body is not well-formed: its chunks or its length are wrong.")
