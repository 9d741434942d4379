"""``tensorflow.serving.PredictionService``."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from google.protobuf.json_format import ParseDict

from service.api.codecs.tfserving.classify_codec import Method
from service.api.http.request_context import RequestContext
from service.api.http.responses import Response
from service.api.inference.prediction_loop import Route
from service.api.request_limits import Limits
from service.errors import InvalidRequestError
from service.grpc.answer_blocks import Answer
from service.grpc.call import Call
from service.grpc.call_handling import CallHandling, parsed
from service.grpc.examples_codec import INFERENCE_RESULT, ExamplesProtoCodec
from service.grpc.messages import POOL, message_class
from service.grpc.model_spec import model_in, target_of
from service.grpc.part_limits import PartLimits
from service.grpc.predict_proto_codec import PREDICT_REQUEST, PredictProtoCodec
from service.grpc.status import CONTENT_TYPE, STATUS, error_status
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
    """The service's methods; each gets the request's bytes, and answers the call."""

    def __init__(self, calls: CallHandling, lifecycle: Lifecycle, limits: Limits) -> None:
        """The service of a worker.

        Args:
            calls: answers calls.
            lifecycle: knows the models.
            limits: of requests.
        """
        self._calls = calls
        self._lifecycle = lifecycle
        self._limits = limits

    def predict(self, data: bytes, call: Call) -> None:
        """Answer Predict."""

        def route() -> Route:
            _PARTS.check(data)
            message = PREDICT_REQUEST.FromString(data)
            codec = PredictProtoCodec(message, self._limits)
            return Route(target_of(message.model_spec), codec, error_status)

        call.follow(self._calls.start(call, data, route, call.respond))

    def classify(self, data: bytes, call: Call) -> None:
        """Answer Classify."""

        def response(result: Any) -> Any:
            return _CLASSIFIED(result=result.classification_result, model_spec=result.model_spec)

        self._examples(data, call, Method.CLASSIFY, response)

    def regress(self, data: bytes, call: Call) -> None:
        """Answer Regress."""

        def response(result: Any) -> Any:
            return _REGRESSED(result=result.regression_result, model_spec=result.model_spec)

        self._examples(data, call, Method.REGRESS, response)

    def multi_inference(self, data: bytes, call: Call) -> None:
        """Answer MultiInference: each task is a prediction of its own, over the same examples."""
        call.follow(_Tasks(call, self._tasks(data, call)))

    async def _tasks(self, data: bytes, call: Call) -> Answer:
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

        answers = [await self._calls.predict(call, data, first)]
        if answers[0].is_ok and len(found) > 1:
            answers += await asyncio.gather(
                *(
                    self._calls.predict(call, b"", partial(self._route, message.input, *task))
                    for task in found[1:]
                )
            )
        for i, answer in enumerate(answers):
            if not answer.is_ok:
                # Without all of its tasks the request itself is at fault.
                return _in_task(i, answer) if len(found) == len(message.tasks) > 1 else answer
        response = _TASKS_DONE()
        for answer in answers:
            response.results.add().MergeFromString(answer.response.body)
        return Answer(Response(response.SerializeToString(), CONTENT_TYPE), answers[0].headers)

    def get_model_metadata(self, data: bytes, call: Call) -> None:
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

        self._calls.ask(call, work, model=model_in(_METADATA, data))

    def _examples(
        self, data: bytes, call: Call, method: Method, response_of: Callable[[Any], Any]
    ) -> None:
        kind = _CLASSIFICATION if method is Method.CLASSIFY else _REGRESSION

        def route() -> Route:
            _PARTS_OF_EXAMPLES[kind].check(data)
            message = kind.FromString(data)
            return self._route(message.input, message, method)

        def respond(answer: Answer) -> None:
            if answer.is_ok:
                message = response_of(INFERENCE_RESULT.FromString(answer.response.body))
                response = Response(message.SerializeToString(), CONTENT_TYPE)
                answer = Answer(response, answer.headers)
            call.respond(answer)

        call.follow(self._calls.start(call, data, route, respond))

    def _route(self, given: Any, asked: Any, method: Method) -> Route:
        codec = ExamplesProtoCodec(method, asked.model_spec.signature_name, given, self._limits)
        return Route(target_of(asked.model_spec), codec, error_status)


def _in_task(i: int, answer: Answer) -> Answer:
    """Return the answer of a task that failed, as that of its call."""
    status = STATUS.FromString(answer.response.body)
    status.message = f"tasks[{i}]: {status.message}"
    return replace(answer, response=replace(answer.response, body=status.SerializeToString()))


class _Tasks:
    """A task that answers a call."""

    def __init__(self, call: Call, work: Coroutine[Any, Any, Answer]) -> None:
        self._call = call
        self._task = call.host.loop.create_task(work)
        self._task.add_done_callback(self._finish)

    def abandon(self) -> None:
        """Give it up."""
        self._task.cancel()

    def _finish(self, task: asyncio.Task[Answer]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Exception):
            self._call.fail(error)
        else:
            self._call.respond(task.result())


def _method(i: int, name: str) -> Method:
    for method in Method:
        if name == method.value:
            return method
    raise InvalidRequestError(
        f"tasks[{i}].method_name: Expected one of {', '.join(m.value for m in Method)}, "
        f"not {name[:60]!r}."
    )
