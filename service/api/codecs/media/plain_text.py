"""``text/plain``: one instance, for a signature that takes one string."""

from service.api.codecs.media.content_types import TEXT, signature_for, takes_texts
from service.api.codecs.media.plain_request import (
    PlainCodec,
    PlainRequest,
    request_of_values,
    whole_body_path,
)
from service.errors import InvalidRequestError, ServiceError
from service.runtime.servable import Servable

UTF_8 = "utf-8"
# By the names that headers have for them (IANA), and by Python's.
_CHARSETS = {
    "utf-8": UTF_8,
    "utf8": UTF_8,
    "us-ascii": "ascii",
    "iso-8859-1": "latin-1",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
}
_BYTE_ORDER_MARK = "\ufeff"
_SHOWN = 60


def decode(body: bytes, charset: str, path: str = "") -> str:
    """Return the text in ``body``, without a byte order mark.

    Args:
        body: at least one byte.
        charset: as the content type names it; empty for UTF-8.
        path: by which the client knows the text; empty for the whole body.

    Raises:
        InvalidRequestError: there is no text, or it is not of the charset.
        ServiceError: 415, the charset is not known here.
    """
    before = f"{path}: " if path else ""
    name = charset.strip().lower() or UTF_8
    if name not in _CHARSETS:
        names = ", ".join(n for n in _CHARSETS if n != "utf8")
        raise ServiceError(
            f"{before}Expected a text of charset {names}, not {charset[:_SHOWN]!r}.", status=415
        )
    if not body:
        raise InvalidRequestError(f"{before}Expected a text, not nothing.")
    try:
        text = body.decode(_CHARSETS[name])
    except UnicodeDecodeError as error:
        found = body[error.start : error.start + 1].hex()
        raise InvalidRequestError(
            f"{before}Expected a text in {name}, not byte 0x{found} at offset {error.start}."
        ) from error
    return text.removeprefix(_BYTE_ORDER_MARK)


class TextCodec(PlainCodec):
    """A text."""

    def parse(self, body: bytes) -> str:
        return decode(body, self.info.options.get("charset", ""))

    def read(self, text: str, servable: Servable) -> PlainRequest:
        signature = signature_for(servable.contract, self.info.signature_name, TEXT, takes_texts)
        columns = {signature.inputs[0].name: [text]}
        return request_of_values(signature, columns, whole_body_path, self.limits)
