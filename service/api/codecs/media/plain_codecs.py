"""The codec for a body, by its content type."""

from collections.abc import Mapping
from typing import Any

from werkzeug.http import parse_options_header

from service.api.codecs.codec_interface import Codec
from service.api.codecs.media import content_types
from service.api.codecs.media.csv_table import TableCodec
from service.api.codecs.media.multipart_form import FormCodec
from service.api.codecs.media.npy import NpyCodec
from service.api.codecs.media.one_file import FileCodec
from service.api.codecs.media.plain_request import BodyInfo, PlainCodec
from service.api.codecs.media.plain_text import TextCodec
from service.api.request_limits import Limits

_CODECS: Mapping[str, type[PlainCodec]] = {
    content_types.TEXT: TextCodec,
    content_types.CSV: TableCodec,
    content_types.NPY: NpyCodec,
    content_types.FORM: FormCodec,
}


def plain_codec(content_type: str, signature_name: str | None, limits: Limits) -> Codec[Any, Any]:
    """Return the codec for a body that is not JSON.

    Whether a model takes the body is checked when it is read; a body of any other content type is
    a file.

    Args:
        content_type: the request's header, with its parameters.
        signature_name: the signature that the query names, if it does.
        limits: of requests.
    """
    media_type, options = parse_options_header(content_type)
    codec: Any = _CODECS.get(content_types.canonical(media_type), FileCodec)
    made: Codec[Any, Any] = codec(BodyInfo(media_type, options, signature_name), limits)
    return made
