"""The binary tensor extension's framing: JSON first, then the tensors' bytes, one after another.

``Inference-Header-Content-Length`` is the length of the JSON; 0 means a *raw* body, which is the
bytes of the only input and nothing else.
"""

from dataclasses import dataclass

from service.api.validation.error_messages import count_with_noun
from service.errors import InvalidRequestError

HEADER = "Inference-Header-Content-Length"


@dataclass(frozen=True, slots=True)
class FramedBody:
    """A body, divided into JSON and bytes.

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
        json_length: the header's value; ``None`` without the header, where the whole body is JSON.

    Raises:
        InvalidRequestError: the header's value is not a length within the body.
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
        whole = count_with_noun(len(body), "byte")
        raise InvalidRequestError(
            f"{HEADER}: expected at most {whole}, the whole body, not {length}."
        )
    if length == 0:
        return FramedBody(None, body)
    return FramedBody(body[:length], body[length:])
