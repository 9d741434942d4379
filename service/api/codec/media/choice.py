"""The codec for a body, by its content type."""

from typing import Any

from werkzeug.http import parse_options_header

from service.api.codec.media import kinds
from service.api.codec.media.file import FileCodec
from service.api.codec.media.form import FormCodec
from service.api.codec.media.npy import NpyCodec
from service.api.codec.media.request import Bounds
from service.api.codec.media.table import TableCodec
from service.api.codec.media.text import TextCodec
from service.api.inference import Codec


def plain_codec(content_type: str, bounds: Bounds) -> Codec[Any, Any]:
    """Return the codec for a body that is no JSON.

    Whether a model takes the body is found when it is read for one; what is none of the known
    kinds is a file, which models may take or not.

    Args:
        content_type: the request's header, with its parameters.
        bounds: of the request.
    """
    told, options = parse_options_header(content_type)
    match kinds.canonical(told):
        case kinds.TEXT:
            return TextCodec(options.get("charset", ""), bounds)
        case kinds.CSV:
            return TableCodec(options.get("charset", ""), bounds)
        case kinds.NPY:
            return NpyCodec(bounds)
        case kinds.FORM:
            return FormCodec(options.get("boundary", ""), bounds)
    return FileCodec(told, bounds)
