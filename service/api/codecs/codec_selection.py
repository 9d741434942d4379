"""The codec of a request, by its route, its content type and its query."""

from collections.abc import Mapping
from typing import Any

from service.api.codecs.codec_interface import Codec
from service.api.codecs.media.plain_codecs import plain_codec
from service.api.codecs.oip.infer_codec import InferCodec
from service.api.codecs.oip.infer_response import OCTETS
from service.api.codecs.tfserving.classify_codec import ClassifyCodec, Method
from service.api.codecs.tfserving.predict_codec import PredictCodec
from service.api.http.query import signature_name
from service.api.http.request_body import JSON_TYPES, json_request, media_type, require_json
from service.api.http.responses import JSON
from service.api.request_limits import Limits
from service.errors import ServiceError

# The last is what curl calls a body unless its content type is given.
_UNNAMED_TYPES = ("", "application/x-www-form-urlencoded")
_JSON_LENGTH_HEADER = "HTTP_INFERENCE_HEADER_CONTENT_LENGTH"


class PredictCodecs:
    """Selects the codec of a ``:predict`` request: JSON of rows or columns, or a plain body."""

    def __init__(self, limits: Limits) -> None:
        """The codecs of ``:predict``.

        Args:
            limits: of requests.
        """
        self._codec = PredictCodec(limits)
        self._limits = limits

    def select(self, environ: Mapping[str, Any], body: bytes) -> tuple[Codec[Any, Any], bytes]:
        """Return the codec of a request, and the body that it reads."""
        named = signature_name(environ)
        codec: Codec[Any, Any] = self._codec if named is None else self._codec.calling(named)
        if media_type(environ) not in JSON_TYPES:
            request = json_request(environ, body)
            if request is None:
                codec = plain_codec(environ["CONTENT_TYPE"], named, self._limits)
            else:
                body = request
        return codec, body


class ClassifyCodecs:
    """Selects the codec of a ``:classify`` or ``:regress`` request, which is JSON always.

    Attributes:
        method: classification or regression.
    """

    def __init__(self, method: Method, limits: Limits) -> None:
        """The codecs of one method.

        Args:
            method: classification or regression.
            limits: of requests.
        """
        self.method = method
        self._codec = ClassifyCodec(method, limits)

    def select(self, environ: Mapping[str, Any], body: bytes) -> tuple[ClassifyCodec, bytes]:
        """Return the codec of a request, and the body that it reads."""
        named = signature_name(environ)
        codec = self._codec if named is None else self._codec.calling(named)
        return codec, require_json(environ, body)


class InferCodecs:
    """Selects the codec of an inference request: JSON, JSON with bytes after it, or bytes."""

    def __init__(self, limits: Limits) -> None:
        """The codecs of the Open Inference Protocol.

        Args:
            limits: of requests.
        """
        self._limits = limits

    def select(self, environ: Mapping[str, Any], body: bytes) -> tuple[InferCodec, bytes]:
        """Return the codec of a request, and the body that it reads."""
        content_type, json_length = media_type(environ), environ.get(_JSON_LENGTH_HEADER)
        if json_length is None and content_type not in (JSON, *_UNNAMED_TYPES):
            # Clients send JSON under other content types as well.
            request = json_request(environ, body)
            if request is not None:
                body = request
            elif content_type == OCTETS:
                json_length = "0"
            else:
                raise _unsupported(content_type)
        elif content_type not in (JSON, OCTETS, *_UNNAMED_TYPES):
            raise _unsupported(content_type)
        codec = InferCodec(json_length, signature_name(environ), self._limits)
        return codec, body


def _unsupported(content_type: str) -> ServiceError:
    return ServiceError(
        f"Expected a body of Content-Type {JSON} or {OCTETS}, not {content_type[:60]!r}.",
        status=415,
    )
