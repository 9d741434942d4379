"""``POST /v1/models/<model>[/versions/<v>|/labels/<l>]:predict``.

JSON is TensorFlow Serving's; bodies of other content types are ours (service/api/codec/media).
"""

from copy import copy
from typing import Any

from flask import Blueprint, Response

from service.api.answer import Answer
from service.api.body import JSON_TYPES, media_type, read_body
from service.api.codec import predictions, rows
from service.api.codec.media.choice import plain_codec
from service.api.codec.media.request import Bounds
from service.api.exchange import Exchange
from service.api.inference import Codec, Inference, Target
from service.api.observe import as_response, exchange
from service.api.query import signature_name
from service.api.routing import SERVABLE_PATHS
from service.api.schemas import SchemaBook
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
        return rows.parse(body)

    def read(self, document: Any, servable: Servable) -> rows.PredictRequest:
        rows.check_length(document, most=self._max_rows)
        return rows.read(
            document,
            servable.contract,
            lambda signature: self._schemas.schema(servable, signature),
            limit=self._max_errors,
            default=self._signature_name,
        )

    def write(self, request: rows.PredictRequest, outputs: Tensors, servable: Servable) -> Answer:
        return Answer(predictions.encode(request, outputs))


class Predict:
    """Answers the requests of the prediction routes."""

    def __init__(
        self, inference: Inference, *, max_rows: int, max_errors: int, max_body_bytes: int
    ) -> None:
        """Prepare.

        Args:
            inference: answers predictions.
            max_rows: the most instances of a request.
            max_errors: the most problems of one request that are listed.
            max_body_bytes: the most bytes of a body.
        """
        self._inference = inference
        self._codec = RowsCodec(max_rows=max_rows, max_errors=max_errors)
        self._bounds = Bounds(max_rows=max_rows, max_errors=max_errors)
        self._max_body_bytes = max_body_bytes

    def answer(self, exchange: Exchange, target: Target) -> Answer:
        """Answer one request; raises what ``Inference.answer`` and ``read_body`` raise."""
        self._inference.require(exchange, target.model)
        environ = exchange.environ
        named = signature_name(environ)
        codec: Codec[Any, Any] = self._codec if named is None else self._codec.calling(named)
        if media_type(environ) not in JSON_TYPES:
            codec = plain_codec(environ["CONTENT_TYPE"], named, self._bounds)
        body = read_body(exchange, most=self._max_body_bytes)
        return self._inference.answer(exchange, target, codec, body)


def predict_routes(predict: Predict) -> Blueprint:
    """Return the prediction routes."""
    blueprint = Blueprint("predict", __name__)

    def view(model: str, version: int | None = None, label: str | None = None) -> Response:
        return as_response(predict.answer(exchange(), Target(model, version, label)))

    for path in SERVABLE_PATHS:
        blueprint.add_url_rule(f"{path}:predict", "predict", view, methods=["POST"])
    return blueprint
