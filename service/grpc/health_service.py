"""``grpc.health.v1.Health``: the service as a whole, and each model as a service name."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Container, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from service.api.http.request_context import RequestContext
from service.errors import NotFoundError, UnavailableError
from service.grpc.call import Call
from service.grpc.call_handling import CallHandling, parsed
from service.grpc.messages import POOL, message_class
from service.runtime.lifecycle import Lifecycle

HEALTH_SERVICE = "grpc.health.v1.Health"

_REQUEST = message_class("grpc.health.v1.HealthCheckRequest")
_RESPONSE = message_class("grpc.health.v1.HealthCheckResponse")
_STATUS = POOL.FindEnumTypeByName("grpc.health.v1.HealthCheckResponse.ServingStatus").values_by_name
# Seconds between polls while clients watch.
_POLL_S = 0.2


class HealthService:
    """The service's methods; each gets the request's bytes, and answers the call."""

    def __init__(
        self,
        calls: CallHandling,
        lifecycle: Lifecycle,
        services: Container[str],
        ends: asyncio.Event,
    ) -> None:
        """The service of a worker.

        Args:
            calls: answers calls.
            lifecycle: knows the models.
            services: the names of gRPC's services, which are as healthy as the whole.
            ends: is set when clients that watch should reconnect to another worker.
        """
        self._calls = calls
        self._lifecycle = lifecycle
        self._services = services
        self._ends = ends
        self._poller = _StatusPoller(self._status, ends)

    def check(self, data: bytes, call: Call) -> None:
        """Answer Check."""

        def work(_: RequestContext) -> Any:
            name = parsed(lambda: _REQUEST.FromString(data)).service
            status = self._status(name)
            if status == "SERVICE_UNKNOWN":
                raise NotFoundError(f"There is no model or service {name[:100]!r}.")
            return _RESPONSE(status=_STATUS[status].number)

        self._calls.ask(call, work, checks_key=False)

    async def watch(self, data: bytes, call: Call) -> AsyncGenerator[bytes]:
        """Answer Watch: the status now, and whenever it changes."""
        name = parsed(lambda: _REQUEST.FromString(data)).service
        shown = None
        with self._poller.watching(name):
            while not self._ends.is_set():
                change = self._poller.change
                status = self._status(name)
                if status != shown:
                    shown = status
                    yield _RESPONSE(status=_STATUS[status].number).SerializeToString()
                await change.wait()

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


class _StatusPoller:
    """Polls the status of the watched names, once for all clients: they may be thousands.

    Attributes:
        change: is set, and replaced by a new event, when a status changes; also at the end.
    """

    def __init__(self, status_of: Callable[[str], str], ends: asyncio.Event) -> None:
        """A poller that has not been started.

        Args:
            status_of: returns a name's status.
            ends: is set when clients that watch should reconnect to another worker.
        """
        self.change = asyncio.Event()
        self._status_of = status_of
        self._ends = ends
        self._watchers: Counter[str] = Counter()
        self._last_statuses: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, name: str) -> Iterator[None]:
        """Poll a name for as long as the block lasts."""
        self._last_statuses.setdefault(name, self._status_of(name))
        self._watchers[name] += 1
        if self._task is None:
            self._task = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            self._watchers[name] -= 1
            if not self._watchers[name]:
                del self._watchers[name], self._last_statuses[name]

    async def _poll(self) -> None:
        try:
            while self._watchers and not self._ends.is_set():
                found = {name: self._status_of(name) for name in self._watchers}
                if found != self._last_statuses:
                    self._last_statuses = found
                    self._wake()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ends.wait(), _POLL_S)
        finally:
            self._task = None
            self._wake()

    def _wake(self) -> None:
        change, self.change = self.change, asyncio.Event()
        change.set()
