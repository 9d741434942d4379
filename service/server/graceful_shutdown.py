"""How a worker stops: it reports that, continues to answer for a while, then finishes requests.

First it is a lame duck, for ``UNDERSTUDY_LAME_DUCK_S``: ``/readyz`` says no, each response ends its
connection, and new connections are left to the other workers. Then it drains, for at most
``UNDERSTUDY_DRAIN_S``: it takes no more connections, and waits for the requests that run.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from service.api.http.slow_clients import GRACE_S
from service.server.connection_acceptor import Acceptor
from service.server.connection_balancing import ConnectionCount
from service.server.open_connections import OpenConnections

# What a worker gets to end in when it has done all it may wait for, before it is killed.
END_S = 3
# Between looks whether the last requests have ended.
_LOOK_S = 0.05


def timeout_s(drain_s: float, lame_duck_s: float) -> int:
    """Return the seconds from the signal to stop until gunicorn kills the worker."""
    return math.ceil(drain_s + lame_duck_s) + END_S


class StoppingWorker(Protocol):
    """A worker, as its shutdown sees it.

    Attributes:
        loop: its event loop.
        connections: those it holds.
        connection_count: shows the other workers how many there are.
        is_draining: whether each response ends its connection.
    """

    loop: asyncio.AbstractEventLoop
    connections: OpenConnections
    connection_count: ConnectionCount
    is_draining: bool

    def notify(self) -> None:
        """Show gunicorn's master that the worker lives."""


class GracefulShutdown:
    """The shutdown of one worker, on its loop."""

    def __init__(
        self,
        worker: StoppingWorker,
        *,
        lame_duck_s: float,
        drain_s: float,
        on_begin: Callable[[], None],
    ) -> None:
        """A shutdown that starts with ``begin`` or ``hurry``.

        Args:
            worker: the worker to stop.
            lame_duck_s: seconds for which it answers while it reports that it is not ready.
            drain_s: seconds that it waits at most for the requests that run then.
            on_begin: lets the application say that it is not ready any more.
        """
        self._worker = worker
        self._lame_duck_s = lame_duck_s
        self._drain_s = drain_s
        self._on_begin = on_begin
        self._acceptors: Sequence[Acceptor] = ()
        self._is_due = asyncio.Event()
        self._is_hurried = False

    def take(self, acceptors: Sequence[Acceptor]) -> None:
        """Stop these acceptors as well: the worker takes requests from now on."""
        self._acceptors = acceptors

    @property
    def is_due(self) -> bool:
        """Whether the worker is to take no more requests."""
        return self._is_due.is_set()

    async def wait(self, seconds: float) -> None:
        """Wait until it is due, for so many seconds at most."""
        try:
            await asyncio.wait_for(self._is_due.wait(), seconds)
        except TimeoutError:
            return

    def begin(self) -> None:
        """Say that the worker is not ready any more; stop it when others have noticed."""
        if self._worker.is_draining:
            return
        # From now on each response says "Connection: close", so that clients which keep their
        # connections open go elsewhere, and no request is on its way when the worker stops.
        self._worker.is_draining = True
        if not self._acceptors:
            # It has not got as far as taking requests.
            self._is_due.set()
            return
        self._on_begin()
        self._worker.connection_count.leave()
        for acceptor in self._acceptors:
            acceptor.leave_to_others()
        self._worker.loop.call_later(self._lame_duck_s, self._is_due.set)

    def hurry(self) -> None:
        """Wait for nothing any more."""
        self._is_hurried = True
        self._is_due.set()

    async def drain(self) -> None:
        """Answer requests that have arrived, and close all connections."""
        worker = self._worker
        worker.connection_count.leave()
        worker.is_draining = True
        for acceptor in self._acceptors:
            acceptor.stop()
        start = time.monotonic()
        # Clients are granted turns of the loop, not time: what came while the machine paused is
        # noticed only afterwards.
        granted_s = 0.0
        while not self._is_hurried:
            # What was taken at the last moment is a connection only in a later turn of the loop.
            # With TLS it may never be one.
            comes = granted_s <= GRACE_S and any(each.is_connecting for each in self._acceptors)
            if not (comes or len(worker.connections)):
                return
            if time.monotonic() - start >= self._drain_s:
                return
            # A request may be on its way over a connection that looks idle.
            if granted_s > GRACE_S:
                for connection in worker.connections:
                    connection.end_if_idle()
            worker.notify()
            await asyncio.sleep(_LOOK_S)
            granted_s += _LOOK_S
