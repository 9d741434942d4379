"""The codec of ``PredictionService``'s Classify and Regress.

A request becomes the document of ``:classify`` or ``:regress`` in JSON, which the codec of that
route reads: so signatures, examples, contexts and messages are the same.
"""

import base64
from collections.abc import Mapping
from typing import Any

from service.api.codecs.tfserving.classify_codec import ClassifyCodec, Method
from service.api.codecs.tfserving.classify_requests import ExamplesRequest
from service.api.http.responses import Response
from service.api.request_limits import Limits
from service.grpc.messages import message_class
from service.grpc.status import CONTENT_TYPE
from service.repository.golden_examples import Tensors
from service.runtime.servable import Servable

INFERENCE_RESULT = message_class("tensorflow.serving.InferenceResult")


class ExamplesProtoCodec:
    """Reads one parsed request, and writes its result as an ``InferenceResult``."""

    refuses_nonfinite = False

    def __init__(self, method: Method, signature_name: str, given: Any, limits: Limits) -> None:
        """The codec of one request.

        Args:
            method: classification or regression.
            signature_name: the signature that is asked; empty for the default.
            given: its ``Input``.
            limits: of requests.
        """
        codec = ClassifyCodec(method, limits)
        self._codec = codec.calling(signature_name) if signature_name else codec
        self._method = method
        self._given = given

    def select(self, environ: Mapping[str, Any], body: bytes) -> tuple["ExamplesProtoCodec", bytes]:
        """Return this codec: the call has said which it is."""
        return self, body

    def parse(self, body: bytes) -> dict[str, Any]:
        """Return the request as the document of its route in JSON."""
        kind = self._given.WhichOneof("kind")
        if kind is None:
            return {"examples": []}
        found = getattr(self._given, kind)
        document: dict[str, Any] = {"examples": [_features(each) for each in found.examples]}
        if kind == "example_list_with_context":
            document["context"] = _features(found.context)
        return document

    def read(self, document: dict[str, Any], servable: Servable) -> ExamplesRequest:
        return self._codec.read(document, servable)

    def write(self, request: ExamplesRequest, outputs: Tensors, servable: Servable) -> Response:
        rows = self._codec.results(request, outputs)
        message = INFERENCE_RESULT()
        spec = message.model_spec
        spec.name, spec.signature_name = servable.model, request.signature.name
        spec.version.value = servable.version
        if self._method is Method.REGRESS:
            regressions = message.regression_result.regressions
            for value in rows:
                regressions.add(value=value)
        else:
            classifications = message.classification_result.classifications
            for row in rows:
                classes = classifications.add().classes
                for label, score in row:
                    classes.add(label=_text(label), score=score)
        return Response(message.SerializeToString(), CONTENT_TYPE)


def _features(example: Any) -> dict[str, Any]:
    return {name: _values(feature) for name, feature in example.features.feature.items()}


def _values(feature: Any) -> list[Any]:
    kind = feature.WhichOneof("kind")
    if kind is None:
        return []
    values = list(getattr(feature, kind).value)
    if kind == "bytes_list":
        return [{"b64": base64.b64encode(value).decode()} for value in values]
    return values


def _text(label: str | bytes) -> str:
    return label.decode(errors="replace") if isinstance(label, bytes) else label
