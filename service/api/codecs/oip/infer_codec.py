"""The codec of inference requests of the Open Inference Protocol."""

from typing import Any

from service.api.codecs.oip import infer_request, infer_response
from service.api.codecs.oip.binary_tensors import FramedBody, split_body
from service.api.codecs.oip.infer_request import InferRequest
from service.api.codecs.oip.raw_body import read_raw
from service.api.http.request_body import json_value
from service.api.http.responses import Response
from service.api.json import json_arrays
from service.api.request_limits import Limits
from service.repository.golden_examples import Tensors
from service.runtime.servable import Servable


class InferCodec:
    """The protocol's bodies: JSON, JSON with bytes after it, or bytes alone. One a request."""

    refuses_nonfinite = False

    def __init__(
        self, header_length: str | None, signature_name: str | None, limits: Limits
    ) -> None:
        """The codec of one request.

        Args:
            header_length: the value of ``Inference-Header-Content-Length``, if it was sent.
            signature_name: the signature that the query asks for, if any.
            limits: of requests.
        """
        self._header_length = header_length
        self._signature_name = signature_name
        self._limits = limits

    def parse(self, body: bytes) -> tuple[Any, FramedBody]:
        framed = split_body(body, self._header_length)
        return (None if framed.head is None else json_value(framed.head, json_arrays.loads)), framed

    def read(self, document: tuple[Any, FramedBody], servable: Servable) -> InferRequest:
        parsed, framed = document
        contract, limit = servable.contract, self._limits.max_errors
        if framed.head is None:
            return read_raw(framed.tail, contract, self._signature_name, limit=limit)
        return infer_request.read_request(
            parsed, framed.tail, contract, self._signature_name, limit=limit
        )

    def write(self, request: InferRequest, outputs: Tensors, servable: Servable) -> Response:
        return infer_response.write_response(
            request, outputs, servable.contract, model=servable.model, version=servable.version
        )
