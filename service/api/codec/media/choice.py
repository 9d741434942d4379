"""The codec for a body, by its content type."""

from collections.abc import Mapping
from typing import Any

from werkzeug.http import parse_options_header

from service.api.codec.media import kinds
from service.api.codec.media.file import FileCodec
from service.api.codec.media.form import FormCodec
from service.api.codec.media.npy import NpyCodec
from service.api.codec.media.request import Bounds, PlainCodec, Told
from service.api.codec.media.table import TableCodec
from service.api.codec.media.text import TextCodec
from service.api.inference import Codec

_CODECS: Mapping[str, type[PlainCodec]] = {
    kinds.TEXT: TextCodec,
    kinds.CSV: TableCodec,
    kinds.NPY: NpyCodec,
    kinds.FORM: FormCodec,
}


def plain_codec(content_type: str, signature_name: str | None, bounds: Bounds) -> Codec[Any, Any]:
    """Return the codec for a body that is no JSON.

    Whether a model takes the body is found when it is read for one; what is none of the known
    kinds is a file, which models may take or not.

    Args:
        content_type: the request's header, with its parameters.
        signature_name: the signature that the query names, if it does.
        bounds: of the request.
    """
    told, options = parse_options_header(content_type)
    codec: Any = _CODECS.get(kinds.canonical(told), FileCodec)
    made: Codec[Any, Any] = codec(Told(told, options, signature_name), bounds)
    return made
