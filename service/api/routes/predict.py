"""``POST /v1/models/<model>[/versions/<v>|/labels/<l>]:predict``.

JSON is TensorFlow Serving's; bodies of other content types are ours (service/api/codecs/media).
"""

from collections.abc import Mapping
from copy import copy
from typing import Any

from flask import Blueprint, Response

from service.api.codecs.base import Codec
from service.api.codecs.media.codec_choice import plain_codec
from service.api.codecs.media.plain_request import Bounds
from service.api.codecs.tfserving import predict_requests, predict_responses
from service.api.http.flask_hooks import as_response, exchange
from service.api.http.query import signature_name
from service.api.http.request_body import JSON_TYPES, json_request, media_type
from service.api.http.responses import Answer
from service.api.http.url_paths import SERVABLE_PATHS
from service.api.inference.pipeline import Inference, Target
from service.api.validation.schemas import SchemaBook
from service.repository.contract import DEFAULT_SIGNATURE
from service.repository.golden import Tensors
from service.runtime.servable import Servable


class RowsCodec:
    """TensorFlow Serving's JSON of ``:predict``."""

    def __init__(self, *, max_rows: int, max_errors: int) -> None:
        """Prepare.

        Args:
            max_rows: the most instances of a request.
            max_errors: the most problems of one request that are listed.
        """
        self._max_rows = max_rows
        self._max_errors = max_errors
        self._schemas = SchemaBook(limit=max_errors)
        self._signature_name = DEFAULT_SIGNATURE

    def calling(self, signature_name: str) -> "RowsCodec":
        """Return the codec of requests for another signature, unless they name one themselves."""
        other = copy(self)
        other._signature_name = signature_name
        return other

    def parse(self, body: bytes) -> Any:
        return predict_requests.parse(body)

    def read(self, document: Any, servable: Servable) -> predict_requests.PredictRequest:
        predict_requests.check_length(document, most=self._max_rows)
        return predict_requests.read(
            document,
            servable.contract,
            lambda signature: self._schemas.schema(servable, signature),
            limit=self._max_errors,
            default=self._signature_name,
        )

    def write(
        self, request: predict_requests.PredictRequest, outputs: Tensors, servable: Servable
    ) -> Answer:
        return Answer(predict_responses.encode(request, outputs))


class Predict:
    """The endpoint of the prediction routes."""

    def __init__(self, *, max_rows: int, max_errors: int) -> None:
        """An endpoint with bounds.

        Args:
            max_rows: the most instances of a request.
            max_errors: the most problems of one request that are listed.
        """
        self._codec = RowsCodec(max_rows=max_rows, max_errors=max_errors)
        self._bounds = Bounds(max_rows=max_rows, max_errors=max_errors)

    def codec(self, environ: Mapping[str, Any], body: bytes) -> tuple[Codec[Any, Any], bytes]:
        """Return the format of a request: JSON of rows or columns, or a plain body."""
        named = signature_name(environ)
        codec: Codec[Any, Any] = self._codec if named is None else self._codec.calling(named)
        if media_type(environ) not in JSON_TYPES:
            request = json_request(environ, body)
            if request is None:
                codec = plain_codec(environ["CONTENT_TYPE"], named, self._bounds)
            else:
                body = request
        return codec, body


def predict_routes(inference: Inference, predict: Predict) -> Blueprint:
    """Return the prediction routes."""
    blueprint = Blueprint("predict", __name__)

    def view(model: str, version: int | None = None, label: str | None = None) -> Response:
        target = Target(model, version, label)
        return as_response(inference.answer(exchange(), target, predict))

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}:predict", "predict", view, methods=["POST"])
    return blueprint
