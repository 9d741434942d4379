"""``inference.GRPCInferenceService``: the Open Inference Protocol, with Triton's extensions."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError

from service import __version__
from service.api.codecs.oip.infer_request import find_signature
from service.api.codecs.oip.model_config import model_config
from service.api.codecs.oip.model_metadata import model_metadata
from service.api.http.request_context import RequestContext
from service.api.inference.pipeline import Target
from service.api.inference.prediction_loop import Route
from service.api.request_limits import Limits
from service.api.routes.admin import check_token
from service.api.routes.oip_inference import EXTENSIONS
from service.api.routes.oip_repository import repository_entries, set_unloaded
from service.api.routes.oip_statistics import model_statistics
from service.errors import InvalidRequestError, NotFoundError, UnavailableError
from service.grpc.answer_blocks import Answer
from service.grpc.call import Call
from service.grpc.call_handling import CallHandling, parsed
from service.grpc.infer_proto_codec import INFER_REQUEST, InferProtoCodec
from service.grpc.messages import message_class
from service.grpc.part_limits import PartLimits
from service.grpc.status import STATUS, error_status
from service.monitoring.prometheus_metrics import Metrics
from service.repository.model_source import ModelSource
from service.runtime.lifecycle import Lifecycle
from service.settings.settings import Settings

INFERENCE_SERVICE = "inference.GRPCInferenceService"

# Tensors, their parameters and what is asked of outputs.
_PARTS = PartLimits(INFER_REQUEST, most_messages=100_000)
# Requests of one stream under way; further ones are read when one is answered.
_AT_ONCE = 32
_LONGEST_NUMBER = 18


def _message(name: str) -> Any:
    return message_class(f"inference.{name}")


_STREAMED = _message("ModelStreamInferResponse")


class InferenceService:
    """The service's methods; each gets the request's bytes, and answers the call."""

    def __init__(
        self,
        calls: CallHandling,
        lifecycle: Lifecycle,
        store: ModelSource,
        metrics: Metrics,
        settings: Settings,
        ends: asyncio.Event,
    ) -> None:
        """The service of a worker.

        Args:
            calls: answers calls.
            lifecycle: knows the models.
            store: holds their versions and policies.
            metrics: what was counted.
            settings: the service's.
            ends: is set when streams are to take no more requests.
        """
        self._calls = calls
        self._lifecycle = lifecycle
        self._store = store
        self._metrics = metrics
        self._settings = settings
        self._limits = Limits.from_settings(settings)
        self._ends = ends

    def server_live(self, data: bytes, call: Call) -> None:
        """Answer ServerLive."""
        self._ask(call, lambda _: _message("ServerLiveResponse")(live=True), probe=True)

    def server_ready(self, data: bytes, call: Call) -> None:
        """Answer ServerReady; it is a matter of yes or no, not of an error."""

        def work(_: RequestContext) -> Any:
            ready = self._lifecycle.ready and self._lifecycle.all_ready
            return _message("ServerReadyResponse")(ready=ready)

        self._ask(call, work, probe=True)

    def model_ready(self, data: bytes, call: Call) -> None:
        """Answer ModelReady: as in Triton, no for a model that does not serve or is not known."""

        def work(request: RequestContext) -> Any:
            message = parsed(lambda: _message("ModelReadyRequest").FromString(data))
            try:
                with self._lease(request, message) as servable:
                    ready = not servable.stuck
            except (NotFoundError, UnavailableError):
                ready = False
            return _message("ModelReadyResponse")(ready=ready)

        model = _name_in("ModelReadyRequest", data)
        self._ask(call, work, model=model)

    def server_metadata(self, data: bytes, call: Call) -> None:
        """Answer ServerMetadata."""
        response = _message("ServerMetadataResponse")(
            name="understudy", version=__version__, extensions=EXTENSIONS
        )
        self._ask(call, lambda _: response)

    def model_metadata(self, data: bytes, call: Call) -> None:
        """Answer ModelMetadata."""

        def work(request: RequestContext) -> Any:
            message = parsed(lambda: _message("ModelMetadataRequest").FromString(data))
            with self._lease(request, message) as servable:
                request.version = servable.version
                signature = find_signature(servable.contract, None)
                versions = self._lifecycle.serving_versions(message.name)
                found = model_metadata(message.name, versions, signature)
            return ParseDict(found, _message("ModelMetadataResponse")())

        model = _name_in("ModelMetadataRequest", data)
        self._ask(call, work, model=model)

    def model_config(self, data: bytes, call: Call) -> None:
        """Answer ModelConfig."""

        def work(request: RequestContext) -> Any:
            message = parsed(lambda: _message("ModelConfigRequest").FromString(data))
            with self._lease(request, message) as servable:
                request.version = servable.version
                signature = find_signature(servable.contract, None)
                policy = self._lifecycle.policy(message.name)
                found = model_config(message.name, signature, policy, self._limits)
            # Our messages lack what is always empty.
            config = {name: value for name, value in found.items() if value != []}
            return ParseDict({"config": config}, _message("ModelConfigResponse")())

        model = _name_in("ModelConfigRequest", data)
        self._ask(call, work, model=model)

    def model_infer(self, data: bytes, call: Call) -> None:
        """Answer ModelInfer."""
        call.follow(self._calls.start(call, data, self._route(data), call.respond))

    async def model_stream_infer(
        self, requests: AsyncIterator[bytes], call: Call
    ) -> AsyncGenerator[bytes]:
        """Answer the requests of a stream, in their order; one that fails does not end it."""
        under_way: asyncio.Queue[asyncio.Task[Answer] | None] = asyncio.Queue(_AT_ONCE)
        reader = asyncio.create_task(self._read_stream(requests, call, under_way))
        try:
            while (task := await under_way.get()) is not None:
                yield _streamed(await task)
            await reader
        finally:
            reader.cancel()
            while not under_way.empty():
                left = under_way.get_nowait()
                if left is not None:
                    left.cancel()

    async def _read_stream(
        self,
        requests: AsyncIterator[bytes],
        call: Call,
        under_way: "asyncio.Queue[asyncio.Task[Answer] | None]",
    ) -> None:
        """Begin to answer each request, until the client sends no more or the worker stops."""
        ends = asyncio.create_task(self._ends.wait())
        try:
            while True:
                following = asyncio.ensure_future(anext(requests, None))
                await asyncio.wait((following, ends), return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    return
                data = following.result()
                if data is None:
                    return
                answer = self._calls.predict(call, data, self._route(data))
                await under_way.put(asyncio.create_task(answer))
        finally:
            ends.cancel()
            await under_way.put(None)

    def model_statistics(self, data: bytes, call: Call) -> None:
        """Answer ModelStatistics."""

        def work(request: RequestContext) -> Any:
            message = parsed(lambda: _message("ModelStatisticsRequest").FromString(data))
            version = _version(message.version)
            if message.name:
                self._lifecycle.require(message.name)
                request.model = message.name
            found = model_statistics(self._lifecycle, self._metrics, message.name, version)
            return ParseDict(found, _message("ModelStatisticsResponse")())

        model = _name_in("ModelStatisticsRequest", data) or None
        self._ask(call, work, model=model, blocks=True)

    def repository_index(self, data: bytes, call: Call) -> None:
        """Answer RepositoryIndex."""

        def work(_: RequestContext) -> Any:
            message = parsed(lambda: _message("RepositoryIndexRequest").FromString(data))
            entries = repository_entries(self._lifecycle, self._store, ready=message.ready)
            return ParseDict({"models": entries}, _message("RepositoryIndexResponse")())

        self._ask(call, work, blocks=True)

    def repository_model_load(self, data: bytes, call: Call) -> None:
        """Answer RepositoryModelLoad, for holders of the admin token."""
        self._change(data, call, "RepositoryModelLoad", unloaded=False)

    def repository_model_unload(self, data: bytes, call: Call) -> None:
        """Answer RepositoryModelUnload, for holders of the admin token."""
        self._change(data, call, "RepositoryModelUnload", unloaded=True)

    def _change(self, data: bytes, call: Call, name: str, *, unloaded: bool) -> None:
        def work(request: RequestContext) -> Any:
            check_token(self._settings.admin_token, request.environ.get("HTTP_AUTHORIZATION", ""))
            message = parsed(lambda: _message(f"{name}Request").FromString(data))
            for key in message.parameters:
                if not (unloaded and key == "unload_dependents"):
                    raise InvalidRequestError(
                        f"parameters.{key[:100]}: Unknown; models and their configuration come "
                        "from the folder of models alone."
                    )
            model = message.model_name
            if model not in self._store.models():
                self._lifecycle.require(model)
            request.model = model
            set_unloaded(self._lifecycle, self._store, self._settings, model, unloaded=unloaded)
            return _message(f"{name}Response")()

        # It asks for the token, not for a key.
        self._ask(call, work, probe=True, blocks=True)

    def _route(self, data: bytes) -> Callable[[], Route]:
        def route() -> Route:
            _PARTS.check(data)
            message = INFER_REQUEST.FromString(data)
            if not message.model_name:
                raise InvalidRequestError("model_name: Missing model name in request.")
            target = Target(message.model_name, _version(message.model_version))
            return Route(target, InferProtoCodec(message, self._limits), error_status)

        return route

    def _lease(self, request: RequestContext, message: Any) -> Any:
        version = _version(message.version)
        self._lifecycle.require(message.name)
        request.model = message.name
        return self._lifecycle.lease(message.name, version)

    def _ask(
        self,
        call: Call,
        work: Any,
        *,
        model: str | None = None,
        probe: bool = False,
        blocks: bool = False,
    ) -> None:
        self._calls.ask(call, work, model=model, checks_key=not probe, blocks=blocks)


def _streamed(answer: Answer) -> bytes:
    response = _STREAMED()
    if answer.is_ok:
        response.infer_response.MergeFromString(answer.response.body)
    else:
        response.error_message = STATUS.FromString(answer.response.body).message
    body: bytes = response.SerializeToString()
    return body


def _version(text: str) -> int | None:
    """Return a version's number; ``None`` where a request names none.

    Raises:
        InvalidRequestError: it is not a number.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise InvalidRequestError(f"version: Expected a number, not {text[:60]!r}.")
    return int(text)


def _name_in(kind: str, data: bytes) -> str:
    """Return the model that a request asks, for its key; empty where it cannot be parsed."""
    try:
        name: str = _message(kind).FromString(data).name
    except DecodeError:
        return ""
    return name
