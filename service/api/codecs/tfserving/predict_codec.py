"""The codec of ``:predict`` requests in TensorFlow Serving's JSON."""

from copy import copy
from typing import Any

from service.api.codecs.tfserving import predict_requests, predict_responses
from service.api.http.responses import Response
from service.api.request_limits import Limits
from service.api.validation.schemas import SchemaBook
from service.repository.contract import DEFAULT_SIGNATURE
from service.repository.golden_examples import Tensors
from service.runtime.servable import Servable


class PredictCodec:
    """TensorFlow Serving's JSON of ``:predict``: rows (``instances``) or columns (``inputs``)."""

    refuses_nonfinite = True

    def __init__(self, limits: Limits) -> None:
        """A codec for requests to any model.

        Args:
            limits: of requests.
        """
        self._limits = limits
        self._schemas = SchemaBook(limits)
        self._signature_name = DEFAULT_SIGNATURE

    def calling(self, signature_name: str) -> "PredictCodec":
        """Return the codec of requests for another signature, unless they name one themselves."""
        other = copy(self)
        other._signature_name = signature_name
        return other

    def parse(self, body: bytes) -> Any:
        return predict_requests.parse_json(body)

    def read(self, document: Any, servable: Servable) -> predict_requests.PredictRequest:
        predict_requests.check_length(document, most=self._limits.max_rows)
        return predict_requests.read_request(
            document,
            servable.contract,
            lambda signature: self._schemas.schema(servable, signature),
            limit=self._limits.max_errors,
            default=self._signature_name,
        )

    def write(
        self, request: predict_requests.PredictRequest, outputs: Tensors, servable: Servable
    ) -> Response:
        return Response(predict_responses.encode_response(request, outputs))
