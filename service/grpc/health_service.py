"""``grpc.health.v1.Health``: the service as a whole, and each model as a service name."""

import asyncio
from collections.abc import AsyncIterator, Container
from typing import Any

from service.api.http.request_context import RequestContext
from service.errors import InvalidRequestError, NotFoundError, UnavailableError
from service.grpc.calls import Calls, Context, parsed
from service.grpc.messages import POOL, message_class
from service.grpc.status import status_of
from service.runtime.lifecycle import Lifecycle

HEALTH_SERVICE = "grpc.health.v1.Health"

_REQUEST = message_class("grpc.health.v1.HealthCheckRequest")
_RESPONSE = message_class("grpc.health.v1.HealthCheckResponse")
_STATUS = POOL.FindEnumTypeByName("grpc.health.v1.HealthCheckResponse.ServingStatus").values_by_name
# Between looks on behalf of clients that watch.
_LOOK_S = 0.2


class HealthService:
    """The service's methods; each gets the request's bytes, and returns the response's."""

    def __init__(
        self, calls: Calls, lifecycle: Lifecycle, services: Container[str], ends: asyncio.Event
    ) -> None:
        """The service of a worker.

        Args:
            calls: answers calls.
            lifecycle: knows the models.
            services: the names of gRPC's services, which are as healthy as the whole.
            ends: is set when whoever watches is to go elsewhere.
        """
        self._calls = calls
        self._lifecycle = lifecycle
        self._services = services
        self._ends = ends

    async def check(self, data: bytes, context: Context) -> bytes:
        """Answer Check."""

        def work(_: RequestContext) -> Any:
            name = parsed(lambda: _REQUEST.FromString(data)).service
            status = self._status(name)
            if status == "SERVICE_UNKNOWN":
                raise NotFoundError(f"There is no model or service {name[:100]!r}.")
            return _RESPONSE(status=_STATUS[status].number)

        return await self._calls.ask(context, f"/{HEALTH_SERVICE}/Check", work, checks_key=False)

    async def watch(self, data: bytes, context: Context) -> AsyncIterator[bytes]:
        """Answer Watch: the status now, and whenever it changes."""
        try:
            name = parsed(lambda: _REQUEST.FromString(data)).service
        except InvalidRequestError as error:
            await self._calls.abort(context, error.status, status_of(error), {})
        shown = None
        while True:
            status = self._status(name)
            if status != shown:
                shown = status
                yield _RESPONSE(status=_STATUS[status].number).SerializeToString()
            if self._ends.is_set():
                return
            try:
                await asyncio.wait_for(self._ends.wait(), _LOOK_S)
            except TimeoutError:
                continue

    def _status(self, name: str) -> str:
        lifecycle = self._lifecycle
        if not name or name in self._services:
            return "SERVING" if lifecycle.ready else "NOT_SERVING"
        try:
            serves = lifecycle.serves(name)
        except NotFoundError:
            return "SERVICE_UNKNOWN"
        except UnavailableError:
            return "NOT_SERVING"
        return "SERVING" if serves and not lifecycle.draining else "NOT_SERVING"
