"""The gRPC server of one worker, on the worker's own event loop."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

from service.access.access_control import AccessControl
from service.api.http.body_budget import UNCOUNTED_BYTES, BodyBudget
from service.api.inference.prediction_loop import PredictionLoop
from service.api.request_limits import Limits
from service.api.routes.admin import check_token
from service.errors import ServiceError
from service.grpc.answer_blocks import Answer, http_refusal
from service.grpc.call import Call
from service.grpc.call_handling import CallHandling
from service.grpc.call_head import CallHead, CallMethod, read_call_head
from service.grpc.health_service import HEALTH_SERVICE, HealthService
from service.grpc.inference_service import INFERENCE_SERVICE, InferenceService
from service.grpc.messages import service_methods
from service.grpc.model_service import MODEL_SERVICE, ModelService
from service.grpc.prediction_service import PREDICTION_SERVICE, PredictionService
from service.grpc.reflection_service import REFLECTION_SERVICES, ReflectionService
from service.grpc.stream_call import StreamCall
from service.grpc.triton_server_calls import ServerCalls
from service.grpc.unary_call import UnaryCall
from service.http2.header_table import Field
from service.http2.http2_connection import Http2Connection
from service.http2.request_host import ConnectionRegister
from service.http2.stream import Receiver, Stream
from service.monitoring.prometheus_metrics import Metrics
from service.repository.model_source import ModelSource
from service.runtime.lifecycle import Lifecycle
from service.settings.settings import Settings

# Calls at once in a worker, open streams among them; further ones are refused in words.
_MOST_CALLS = 5_000
# What surrounds the largest request in its message.
_ENVELOPE_BYTES = 64 * 1024
# No call but a prediction has more to say.
_MOST_OTHER_BYTES = 1024 * 1024
# What strangers may ask takes no room from those who have a key: it is not counted, nor is the
# answer with it, which may repeat it.
_MOST_OF_STRANGERS = UNCOUNTED_BYTES // 2

_PREDICTIONS = frozenset(
    {"Predict", "Classify", "Regress", "MultiInference", "ModelInfer", "ModelStreamInfer"}
)
_ADMIN = frozenset({"HandleReloadConfigRequest", "RepositoryModelLoad", "RepositoryModelUnload"})
_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


class GrpcServer:
    """Answers the calls of all connections until it is stopped.

    Attributes:
        loop: the event loop.
        register: holds the connections.
        budget: bounds the bytes of requests under way.
        parsers: threads for what takes long.
        read_timeout_s: seconds that a client may take to send a message, or to take an answer.
        stream_window: how many bytes a client may send of one call before they are used.
    """

    def __init__(
        self,
        predictions: PredictionLoop,
        access: AccessControl | None,
        budget: BodyBudget,
        lifecycle: Lifecycle,
        store: ModelSource,
        metrics: Metrics,
        settings: Settings,
        register: ConnectionRegister,
    ) -> None:
        """A server without connections; to be made on the loop.

        Args:
            predictions: answers predictions on the loop.
            access: checks API keys; ``None`` lets every client ask.
            budget: bounds the bytes of requests under way.
            lifecycle: knows the models.
            store: where they lie.
            metrics: what was counted.
            settings: the service's.
            register: holds the connections.
        """
        self.loop = predictions.loop
        self.register = register
        self.budget = budget
        self.parsers: Executor = predictions.parsers
        self.read_timeout_s = settings.read_timeout_s
        most_bytes = settings.max_body_bytes + _ENVELOPE_BYTES
        # The largest message fits, with its prefix and then some.
        self.stream_window = most_bytes + _ENVELOPE_BYTES
        self._admin_token = settings.admin_token
        self._count = 0
        self._ends = asyncio.Event()
        self._calls = calls = CallHandling(predictions, access, budget)
        names = (PREDICTION_SERVICE, MODEL_SERVICE, INFERENCE_SERVICE)
        everything = (*names, HEALTH_SERVICE, *REFLECTION_SERVICES)
        has_keys = access is not None and access.has_keys
        most_of_all = _MOST_OF_STRANGERS if has_keys else _MOST_OTHER_BYTES
        services: dict[str, tuple[Any, ...]] = {
            PREDICTION_SERVICE: (
                PredictionService(calls, lifecycle, Limits.from_settings(settings)),
            ),
            MODEL_SERVICE: (ModelService(calls, lifecycle, store, settings),),
            INFERENCE_SERVICE: (
                InferenceService(calls, lifecycle, store, metrics, settings, self._ends),
                ServerCalls(calls, lifecycle, settings),
            ),
            HEALTH_SERVICE: (HealthService(calls, lifecycle, everything, self._ends),),
            **{name: (ReflectionService(name, everything),) for name in REFLECTION_SERVICES},
        }
        self._methods = {
            path: method
            for name, parts in services.items()
            for path, method in _methods(name, parts, most_bytes, most_of_all)
        }

    def make_connection(self) -> Http2Connection:
        """Return the protocol of a new connection."""
        return Http2Connection(self)

    def leave(self) -> None:
        """Answer requests that have arrived, ask clients to reconnect, and end open streams."""
        # Streams would last for as long as their clients keep them open.
        self._ends.set()
        for connection in self.register:
            if isinstance(connection, Http2Connection):
                connection.leave()

    def read_head(self, fields: list[Field] | None) -> CallHead:
        """Return what the header of a call says.

        Raises:
            StreamError: it is not a request's, or lacks ``te``, which gRPC clients send.
        """
        return read_call_head(fields, self._methods)

    def open(self, stream: Stream, head: CallHead) -> Receiver:
        """Begin a call."""
        self._count += 1
        method = head.method
        if method is not None and method.unary is None and self._count <= _MOST_CALLS:
            return StreamCall(self, stream, head)
        call = UnaryCall(self, stream, head)
        if head.http_status:
            stream.refuse(http_refusal(head.http_status))
        elif method is None:
            call.fail(head.error())
        elif self._count > _MOST_CALLS:
            words = (
                f"More than {_MOST_CALLS} calls are under way in this worker, which is the limit."
            )
            # As gRPC says it, and not as HTTP does.
            call.fail(ServiceError(words, status=429))
        return call

    def check_sender(self, call: Call) -> None:
        """Check that a client may send large messages of the method that it calls.

        Raises:
            UnauthenticatedError: it has no key that may predict, or not the admin token.
            ServiceError: 403, there is no such token.
        """
        if call.method().administers:
            check_token(self._admin_token, call.environ.get("HTTP_AUTHORIZATION", ""))
        else:
            self._calls.check_sender(call)

    def refusal(self, call: Call, error: Exception) -> Answer:
        """Count and log a call that fails before anything has begun to answer it."""
        return self._calls.refusal(call, error)

    def note_end(self) -> None:
        """Note that a call has ended."""
        self._count -= 1


def _methods(
    name: str, parts: tuple[Any, ...], most_bytes: int, most_of_all: int
) -> Iterator[tuple[str, CallMethod]]:
    """Return the methods of a service by their paths.

    Args:
        name: the service's full name.
        parts: together have its methods.
        most_bytes: the most bytes of a message to predict.
        most_of_all: the most bytes of a message that anybody may send.
    """
    for method, descriptor in service_methods(name).items():
        attribute = _WORD_START.sub("_", method).lower()
        (handler,) = (getattr(part, attribute) for part in parts if hasattr(part, attribute))
        path = f"/{name}/{method}"
        predicts, administers = method in _PREDICTIONS, method in _ADMIN
        most = most_of_all
        if predicts:
            most = most_bytes
        elif administers:
            most = _MOST_OTHER_BYTES
        if descriptor.client_streaming:
            yield path, CallMethod(most, predicts, administers, streaming=handler)
        elif descriptor.server_streaming:
            yield path, CallMethod(most, predicts, administers, server_streaming=handler)
        else:
            yield path, CallMethod(most, predicts, administers, unary=handler)
