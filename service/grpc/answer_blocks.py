"""Answers as blocks of headers and trailers."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from service.api.http.responses import Response
from service.grpc.status import DETAILS, STATUS, GrpcCode, status_code
from service.http2.header_encoder import STATUS_200, header_block, header_name, header_value

_CONTENT_TYPE = header_block(b"content-type", b"application/grpc")
# Of every answer with messages. Requests may be packed, answers never are.
ANSWER_HEAD = (
    STATUS_200 + _CONTENT_TYPE + header_block(b"grpc-accept-encoding", b"identity,deflate,gzip")
)
_OK = header_block(b"grpc-status", b"0")
_STATUS_NAME = header_name(b"grpc-status")
_MESSAGE_NAME = header_name(b"grpc-message")
_DETAILS_NAME = header_name(DETAILS.encode())
# What stands in a message as it is: all of ASCII that can be seen, but not the sign of escapes.
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
# Names as they begin a block; there are few.
_names: dict[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered with.

    Attributes:
        response: its body is a message, or a ``google.rpc.Status``.
        headers: what goes with it: the request's id, the model's version.
    """

    response: Response
    headers: Mapping[str, str]

    @property
    def is_ok(self) -> bool:
        """Whether the call succeeded."""
        return self.response.status == 200


def ok_trailers(headers: Mapping[str, str]) -> bytes:
    """Return the trailers of a call that succeeded, with some metadata."""
    return _OK + _metadata(headers)


def error_trailers(answer: Answer) -> bytes:
    """Return the trailers of a call that failed."""
    response = answer.response
    status = STATUS.FromString(response.body)
    return b"".join(
        (
            _STATUS_NAME,
            header_value(b"%d" % status_code(response.status)),
            _MESSAGE_NAME,
            header_value(quote(status.message, safe=_PLAIN).encode()),
            _metadata(response.headers),
            _metadata(answer.headers),
            _DETAILS_NAME,
            header_value(base64.b64encode(response.body).rstrip(b"=")),
        )
    )


def alone(trailers: bytes) -> bytes:
    """Return trailers as the header of an answer without messages."""
    return STATUS_200 + _CONTENT_TYPE + trailers


def http_refusal(status: int) -> bytes:
    """Return the header of an answer to what is no call of gRPC."""
    return (
        header_block(b":status", b"%d" % status)
        + _CONTENT_TYPE
        + _STATUS_NAME
        + header_value(b"%d" % GrpcCode.UNIMPLEMENTED)
    )


def _metadata(headers: Mapping[str, str]) -> bytes:
    block = b""
    for name, value in headers.items():
        begin = _names.get(name)
        if begin is None:
            begin = _names[name] = header_name(name.lower().encode())
        block += begin + header_value(value.encode("latin-1", "replace"))
    return block
