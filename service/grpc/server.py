"""The gRPC server of one worker, on the worker's own event loop."""

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from service.access.access_control import AccessControl
from service.api.http.body_budget import BodyBudget
from service.api.inference.event_loop import PredictionLoop
from service.api.request_limits import Limits
from service.grpc.calls import Calls
from service.grpc.health_service import HEALTH_SERVICE, HealthService
from service.grpc.inference_service import INFERENCE_SERVICE, InferenceService
from service.grpc.messages import service_methods
from service.grpc.model_service import MODEL_SERVICE, ModelService
from service.grpc.prediction_service import PREDICTION_SERVICE, PredictionService
from service.grpc.reflection_service import REFLECTION_SERVICES, ReflectionService
from service.grpc.server_calls import ServerCalls
from service.monitoring.prometheus_metrics import Metrics
from service.repository.model_source import ModelSource
from service.runtime.lifecycle import Lifecycle
from service.settings.settings import Settings

# A connection stays with one worker, so none stays for ever; calls under way are finished.
_CONNECTION_AGE_MS = 30_000
# A connection without calls; and when to ask whether the other side is still there.
_IDLE_MS = 300_000
_KEEPALIVE_MS, _KEEPALIVE_TIMEOUT_MS = 60_000, 20_000
# Pings that clients may send; more often, they are asked to calm down.
_LEAST_PING_MS = 10_000
# Calls at once in a worker, open streams among them; further ones are refused in words.
_MOST_CALLS = 5_000
# What gRPC refuses itself, without a word, is beyond that: of a connection's calls, and of those
# that wait for the loop to take them, some beyond the first number and all beyond the second.
_STREAMS = 20_000
_BACKLOG, _MOST_BACKLOG = 10_000, 12_000
# How long a server that stops takes calls without answering them.
_HOLD_S = 0.1
# Between looks whether the last calls have ended.
_LOOK_S = 0.2
# What surrounds the largest request in its message.
_ENVELOPE_BYTES = 64 * 1024

_PREDICTIONS = frozenset({"Predict", "Classify", "Regress", "MultiInference", "ModelInfer"})
_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


class GrpcServer:
    """Serves until it is stopped."""

    def __init__(
        self,
        predictions: PredictionLoop,
        access: AccessControl | None,
        budget: BodyBudget,
        lifecycle: Lifecycle,
        store: ModelSource,
        metrics: Metrics,
        settings: Settings,
    ) -> None:
        """A server that is about to start; to be made on the loop, after any fork.

        Args:
            predictions: answers predictions on the loop.
            access: checks who asks; unset, anybody may.
            budget: bounds the bytes of requests under way.
            lifecycle: knows the models.
            store: where they lie.
            metrics: what was counted.
            settings: the service's.
        """
        self._settings = settings
        self._ends = asyncio.Event()
        self._calls = calls = Calls(predictions, access, budget)
        names = (PREDICTION_SERVICE, MODEL_SERVICE, INFERENCE_SERVICE)
        everything = (*names, HEALTH_SERVICE, *REFLECTION_SERVICES)
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
        self._server = grpc.aio.server(
            options=_options(settings), maximum_concurrent_rpcs=_MOST_CALLS
        )
        self._server.add_generic_rpc_handlers(
            tuple(_handlers(name, parts, calls) for name, parts in services.items())
        )

    async def start(self) -> None:
        """Listen.

        Raises:
            RuntimeError: the address cannot be listened on.
        """
        settings = self._settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"{host}:{settings.grpc_port}"
        if settings.tls_certificate is not None and settings.tls_key is not None:
            self._server.add_secure_port(
                address,
                _credentials(settings.tls_certificate, settings.tls_key, settings.tls_client_ca),
            )
        else:
            self._server.add_insecure_port(address)
        await self._server.start()

    async def stop(
        self, grace_s: float, show_life: Callable[[], None], is_hurried: Callable[[], bool]
    ) -> None:
        """Take no more calls, and finish those under way.

        Args:
            grace_s: seconds that they may take.
            show_life: is called again and again meanwhile.
            is_hurried: whether calls under way are to be given up.
        """
        # Streams would go on for as long as their clients like.
        self._ends.set()
        # gRPC cancels calls that have come and that no handler has taken yet. So handlers take all
        # of them before it is told to stop, and answer them afterwards.
        self._calls.hold()
        await asyncio.sleep(_HOLD_S)
        stopping = asyncio.ensure_future(self._server.stop(grace_s))
        await asyncio.sleep(0)
        self._calls.release()
        while not stopping.done():
            show_life()
            if is_hurried():
                await self._server.stop(0)
            await asyncio.wait((stopping,), timeout=_LOOK_S)


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", settings.max_body_bytes + _ENVELOPE_BYTES),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_connection_age_ms", _CONNECTION_AGE_MS),
        ("grpc.max_connection_idle_ms", _IDLE_MS),
        ("grpc.max_concurrent_streams", _STREAMS),
        ("grpc.server.max_pending_requests", _BACKLOG),
        ("grpc.server.max_pending_requests_hard_limit", _MOST_BACKLOG),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _LEAST_PING_MS),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", _LEAST_PING_MS),
    ]


def _credentials(certificate: Path, key: Path, client_ca: Path | None) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        root_certificates=None if client_ca is None else client_ca.read_bytes(),
        require_client_auth=client_ca is not None,
    )


def _handlers(name: str, parts: Sequence[Any], calls: Calls) -> grpc.GenericRpcHandler:
    """Return the handlers of a service's methods, which get and return messages as bytes.

    Args:
        name: the service's full name.
        parts: together have its methods.
        calls: answers them.
    """
    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    found = {}
    for method, descriptor in service_methods(name).items():
        attribute = _WORD_START.sub("_", method).lower()
        (handler,) = (getattr(part, attribute) for part in parts if hasattr(part, attribute))
        streams = descriptor.client_streaming, descriptor.server_streaming
        if not any(streams) and method not in _PREDICTIONS:
            handler = calls.bounded(handler)
        found[method] = makers[streams](handler)
    return grpc.method_handlers_generic_handler(name, found)
