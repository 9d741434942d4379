"""The codec of ``:classify`` and ``:regress`` requests in TensorFlow Serving's JSON."""

from copy import copy
from enum import Enum
from typing import Any

import orjson

from service.api.codecs.tfserving import classify_requests
from service.api.codecs.tfserving.classify_requests import ExamplesRequest
from service.api.codecs.tfserving.classify_responses import (
    Results,
    classification_results,
    regression_results,
)
from service.api.codecs.tfserving.predict_requests import signature_of
from service.api.http.request_body import json_value
from service.api.http.responses import Response
from service.api.json.value_budget import expect_features
from service.api.request_limits import Limits
from service.api.validation.finite_outputs import check_finite
from service.api.validation.row_counts import check_row_count
from service.api.validation.schemas import SchemaBook
from service.errors import InvalidRequestError
from service.repository.contract import DEFAULT_SIGNATURE, Signature
from service.repository.golden_examples import Tensors
from service.repository.json_strings import string_to_json
from service.runtime.servable import Servable


class Method(Enum):
    """The method of a request. The value is TensorFlow's name of signatures of this kind."""

    CLASSIFY = "tensorflow/serving/classify"
    REGRESS = "tensorflow/serving/regress"

    @property
    def noun(self) -> str:
        return "classification" if self is Method.CLASSIFY else "regression"


class ClassifyCodec:
    """TensorFlow Serving's JSON of ``:classify`` and of ``:regress``."""

    refuses_nonfinite = True

    def __init__(self, method: Method, limits: Limits) -> None:
        """A codec for requests to any model.

        Args:
            method: classification or regression.
            limits: of requests.
        """
        self._method = method
        self._limits = limits
        self._schemas = SchemaBook(limits)
        self._signature_name = DEFAULT_SIGNATURE

    def calling(self, signature_name: str) -> "ClassifyCodec":
        """Return the codec of requests for another signature, unless they name one themselves."""
        other = copy(self)
        other._signature_name = signature_name
        return other

    def parse(self, body: bytes) -> Any:
        expect_features()
        return json_value(body)

    def read(self, document: Any, servable: Servable) -> ExamplesRequest:
        envelope = classify_requests.read_envelope(document, limit=self._limits.max_errors)
        signature = signature_of(
            servable.contract, envelope.get("signature_name") or self._signature_name
        )
        kind = servable.signature_def[signature.name]["method_name"]
        results = self._results(signature, kind, servable)
        examples, context = envelope["examples"], envelope["context"]
        check_row_count("examples", len(examples), most=self._limits.max_rows)
        if classify_requests.takes_examples(signature) and (
            kind == self._method.value or servable.parses_examples(signature.name)
        ):
            inputs = classify_requests.read_as_messages(
                signature, examples, context, limit=self._limits.max_errors
            )
        else:
            schema = self._schemas.schema(servable, signature)
            inputs = classify_requests.read_as_rows(
                signature, examples, context, schema, limit=self._limits.max_errors
            )
        return ExamplesRequest(signature, inputs, len(examples), results)

    def write(self, request: ExamplesRequest, outputs: Tensors, servable: Servable) -> Response:
        results = self.results(request, outputs)
        for name, tensor in outputs.items():
            check_finite(name, tensor)
        return Response(
            orjson.dumps(
                {"results": results},
                default=string_to_json,
                option=orjson.OPT_SERIALIZE_NUMPY,
            )
        )

    def results(self, request: ExamplesRequest, outputs: Tensors) -> list[Any]:
        """Return a result for each example; it may be NaN or infinite.

        Raises:
            InvalidRequestError: an output is not one for each example.
        """
        for name, tensor in outputs.items():
            if tensor.ndim == 0 or tensor.shape[0] != request.instances:
                raise InvalidRequestError(
                    f"Output {name!r} has shape {list(tensor.shape)}, not a row for each of the "
                    f"{request.instances} examples."
                )
        return request.results(outputs)

    def _results(self, signature: Signature, kind: str, servable: Servable) -> Results:
        other = Method.REGRESS if self._method is Method.CLASSIFY else Method.CLASSIFY
        found = None
        if kind != other.value:
            if self._method is Method.CLASSIFY:
                found = classification_results(signature)
            else:
                task = servable.card.task if servable.card else ""
                found = regression_results(signature, first=task == "regression")
        if found is None:
            outputs = ", ".join(field.name for field in signature.outputs)
            raise InvalidRequestError(
                f"Signature {signature.name!r} is not a {self._method.noun} (its method is {kind}, "
                f"its outputs are {outputs}); ask with :predict."
            )
        return found
