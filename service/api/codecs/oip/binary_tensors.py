"""The binary tensor extension's framing: JSON first, then the tensors' bytes, one after another.

``Inference-Header-Content-Length`` tells where the JSON ends; 0 stands for a *raw* body, which is
the bytes of the only input and nothing else.
"""

from dataclasses import dataclass

from service.api.validation.messages import counted
from service.errors import InvalidRequestError

HEADER = "Inference-Header-Content-Length"


@dataclass(frozen=True, slots=True)
class FramedBody:
    """A body, divided.

    Attributes:
        head: the JSON; ``None`` when the body is raw.
        tail: the bytes after it; of a raw body, all.
    """

    head: bytes | None
    tail: bytes


def split_body(body: bytes, json_length: str | None) -> FramedBody:
    """Divide a body.

    Args:
        body: the request's, unpacked.
        json_length: the header's value; ``None`` when there is none, and all of the body is JSON.

    Raises:
        InvalidRequestError: the header's value is no length within the body.
    """
    if json_length is None:
        return FramedBody(body, b"")
    digits = json_length.strip()
    # Python refuses to read numbers of thousands of digits; no body is so long.
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
        raise InvalidRequestError(
            f"{HEADER}: expected a number of bytes, not {json_length[:60]!r}."
        )
    length = int(digits)
    if length > len(body):
        whole = counted(len(body), "byte")
        raise InvalidRequestError(
            f"{HEADER}: expected at most {whole}, the whole body, not {length}."
        )
    if length == 0:
        return FramedBody(None, body)
    return FramedBody(body[:length], body[length:])
