"""What the fields of a request must be (RFC 9113, sections 8.2 and 8.3)."""

import re
from dataclasses import dataclass

from service.http2.errors import ErrorCode, StreamError
from service.http2.header_table import Field

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
# A value may hold neither line ends nor zeros, which other protocols would take for more.
_NO_VALUE = re.compile(rb"[\0\r\n]")
_OF_CONNECTIONS = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
_NEEDED = (b":method", b":scheme", b":path")
_KNOWN = frozenset((*_NEEDED, b":authority"))


@dataclass(frozen=True, slots=True)
class RequestFields:
    """A request's fields.

    Attributes:
        method: its method.
        path: its path, which is not empty.
        fields: the others by their names; those that came twice joined by commas (RFC 9110, 5.3).
    """

    method: bytes
    path: bytes
    fields: dict[bytes, bytes]


def read_request_fields(fields: list[Field]) -> RequestFields:
    """Return a request's fields.

    Raises:
        StreamError: they are not those of a request.
    """
    pseudo: dict[bytes, bytes] = {}
    found: dict[bytes, bytes] = {}
    for name, value in fields:
        if name.startswith(b":"):
            if found or name in pseudo or name not in _KNOWN:
                raise StreamError(ErrorCode.PROTOCOL_ERROR)
            pseudo[name] = value
        elif (
            name in _OF_CONNECTIONS
            or not _NAME.fullmatch(name)
            or (name == b"te" and value != b"trailers")
        ):
            raise StreamError(ErrorCode.PROTOCOL_ERROR)
        else:
            found[name] = found[name] + b"," + value if name in found else value
        if _NO_VALUE.search(value):
            raise StreamError(ErrorCode.PROTOCOL_ERROR)
    if not all(pseudo.get(name) for name in _NEEDED):
        raise StreamError(ErrorCode.PROTOCOL_ERROR)
    return RequestFields(pseudo[b":method"], pseudo[b":path"], found)
