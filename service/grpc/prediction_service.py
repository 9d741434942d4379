"""``tensorflow.serving.PredictionService``."""

import asyncio
from functools import partial
from typing import Any

from google.protobuf.json_format import ParseDict

from service.api.codecs.tfserving.classify_codec import Method
from service.api.http.request_context import RequestContext
from service.api.inference.event_loop import Route
from service.api.request_limits import Limits
from service.errors import InvalidRequestError
from service.grpc.calls import Answer, Calls, Context, parsed
from service.grpc.examples_codec import INFERENCE_RESULT, ExamplesProtoCodec
from service.grpc.message_parts import PartLimits
from service.grpc.messages import POOL, message_class
from service.grpc.model_spec import model_in, target_of
from service.grpc.predict_proto_codec import PREDICT_REQUEST, PredictProtoCodec
from service.grpc.status import error_status
from service.runtime.lifecycle import Lifecycle

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"

_PACKAGE = "tensorflow.serving"
_CLASSIFICATION = message_class(f"{_PACKAGE}.ClassificationRequest")
_CLASSIFIED = message_class(f"{_PACKAGE}.ClassificationResponse")
_REGRESSION = message_class(f"{_PACKAGE}.RegressionRequest")
_REGRESSED = message_class(f"{_PACKAGE}.RegressionResponse")
_TASKS = message_class(f"{_PACKAGE}.MultiInferenceRequest")
_TASKS_DONE = message_class(f"{_PACKAGE}.MultiInferenceResponse")
_METADATA = message_class(f"{_PACKAGE}.GetModelMetadataRequest")
_METADATA_FOUND = message_class(f"{_PACKAGE}.GetModelMetadataResponse")
_SIGNATURES = message_class(f"{_PACKAGE}.SignatureDefMap")

# Tensors and their dimensions.
_PARTS = PartLimits(PREDICT_REQUEST, most_messages=100_000)
# Examples: each feature of each row takes three messages.
_PARTS_OF_EXAMPLES = {
    kind: PartLimits(kind, most_messages=2_000_000)
    for kind in (_CLASSIFICATION, _REGRESSION, _TASKS)
}
# Tasks of one MultiInference; each is a prediction of its own.
_MOST_TASKS = 64


class PredictionService:
    """The service's methods; each gets the request's bytes, and returns the response's."""

    def __init__(self, calls: Calls, lifecycle: Lifecycle, limits: Limits) -> None:
        """The service of a worker.

        Args:
            calls: answers calls.
            lifecycle: knows the models.
            limits: of requests.
        """
        self._calls = calls
        self._lifecycle = lifecycle
        self._limits = limits

    async def predict(self, data: bytes, context: Context) -> bytes:
        """Answer Predict."""

        def route() -> Route:
            _PARTS.check(data)
            message = PREDICT_REQUEST.FromString(data)
            codec = PredictProtoCodec(message, self._limits)
            return Route(target_of(message.model_spec), codec, error_status)

        path = f"/{PREDICTION_SERVICE}/Predict"
        return await self._calls.finish(
            context, await self._calls.predict(context, path, data, route)
        )

    async def classify(self, data: bytes, context: Context) -> bytes:
        """Answer Classify."""
        result = await self._examples(data, context, Method.CLASSIFY, "Classify")
        response = _CLASSIFIED(result=result.classification_result, model_spec=result.model_spec)
        body: bytes = response.SerializeToString()
        return body

    async def regress(self, data: bytes, context: Context) -> bytes:
        """Answer Regress."""
        result = await self._examples(data, context, Method.REGRESS, "Regress")
        response = _REGRESSED(result=result.regression_result, model_spec=result.model_spec)
        body: bytes = response.SerializeToString()
        return body

    async def multi_inference(self, data: bytes, context: Context) -> bytes:
        """Answer MultiInference: each task is a prediction of its own, over the same examples."""
        path = f"/{PREDICTION_SERVICE}/MultiInference"
        message = _TASKS()
        found: list[tuple[Any, Method]] = []

        def first() -> Route:
            _PARTS_OF_EXAMPLES[_TASKS].check(data)
            message.MergeFromString(data)
            if not 1 <= len(message.tasks) <= _MOST_TASKS:
                raise InvalidRequestError(
                    f"tasks: Expected 1 to {_MOST_TASKS} tasks, not {len(message.tasks)}."
                )
            for i, task in enumerate(message.tasks):
                found.append((task, _method(i, task.method_name)))
            return self._route(message.input, *found[0])

        answers = [await self._calls.predict(context, path, data, first)]
        if answers[0].is_ok and len(found) > 1:
            answers += await asyncio.gather(
                *(
                    self._calls.predict(
                        context, path, b"", partial(self._route, message.input, *task)
                    )
                    for task in found[1:]
                )
            )
        failed = next((answer for answer in answers if not answer.is_ok), None)
        if failed is not None:
            return await self._calls.finish(context, failed)
        response = _TASKS_DONE()
        for answer in answers:
            response.results.add().MergeFromString(answer.response.body)
        body: bytes = response.SerializeToString()
        return body

    async def get_model_metadata(self, data: bytes, context: Context) -> bytes:
        """Answer GetModelMetadata."""

        def work(request: RequestContext) -> Any:
            message = parsed(lambda: _METADATA.FromString(data))
            target = target_of(message.model_spec)
            for i, name in enumerate(message.metadata_field):
                if name != "signature_def":
                    raise InvalidRequestError(
                        f"metadata_field[{i}]: Expected 'signature_def', not {name[:60]!r}."
                    )
            if not message.metadata_field:
                raise InvalidRequestError("metadata_field: Expected at least one: 'signature_def'.")
            self._lifecycle.require(target.model)
            request.model = target.model
            response = _METADATA_FOUND()
            with self._lifecycle.lease(target.model, target.version, target.label) as servable:
                request.version = servable.version
                response.model_spec.name = target.model
                response.model_spec.version.value = servable.version
                signatures = _SIGNATURES()
                known = {"signature_def": servable.signature_def}
                ParseDict(known, signatures, ignore_unknown_fields=True, descriptor_pool=POOL)
                response.metadata["signature_def"].Pack(signatures)
            return response

        path = f"/{PREDICTION_SERVICE}/GetModelMetadata"
        return await self._calls.ask(context, path, work, model=model_in(_METADATA, data))

    async def _examples(self, data: bytes, context: Context, method: Method, name: str) -> Any:
        kind = _CLASSIFICATION if method is Method.CLASSIFY else _REGRESSION

        def route() -> Route:
            _PARTS_OF_EXAMPLES[kind].check(data)
            message = kind.FromString(data)
            return self._route(message.input, message, method)

        path = f"/{PREDICTION_SERVICE}/{name}"
        answer: Answer = await self._calls.predict(context, path, data, route)
        return INFERENCE_RESULT.FromString(await self._calls.finish(context, answer))

    def _route(self, given: Any, asked: Any, method: Method) -> Route:
        codec = ExamplesProtoCodec(method, asked.model_spec.signature_name, given, self._limits)
        return Route(target_of(asked.model_spec), codec, error_status)


def _method(i: int, name: str) -> Method:
    for method in Method:
        if name == method.value:
            return method
    raise InvalidRequestError(
        f"tasks[{i}].method_name: Expected one of {', '.join(m.value for m in Method)}, "
        f"not {name[:60]!r}."
    )
