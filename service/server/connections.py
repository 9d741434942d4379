"""The connections that a worker holds: how many, which are idle, and which are too slow."""

import asyncio
import heapq
from collections.abc import Iterator
from typing import Protocol

from service.server.connection_balancing import ConnectionCount

# Of a body, or an answer, each so many bytes earn the client another second.
BYTES_PER_S = 64 * 1024
# How long a client may take to close a connection that this side has closed.
GRACE_S = 2.0
# How long a request is still worked on when its client has closed its sending side: it may read on,
# or it may be gone for good; nothing here can distinguish the two.
HALF_CLOSED_S = 1.0
# Of the connections that a worker may hold, the part that goes when there is one too many.
_DROPPED_PART = 100


class Connection(Protocol):
    """The protocol of one client's connection."""

    @property
    def idle_since(self) -> float | None:
        """Since when no request is under way, on the loop's clock.

        ``None`` while one is, and when the connection is ending already.
        """

    def check_time(self, now: float) -> None:
        """End the connection if its client is too slow, or has been idle for too long."""

    def end_if_idle(self) -> None:
        """Close the connection unless a request is under way."""

    def drop(self) -> None:
        """Close the connection, on which no request is under way, without waiting for its client.

        Its file descriptor is needed.
        """


class WriteClock:
    """How long a client takes to receive an answer; each part received earns more time."""

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        """A clock that is stopped.

        Args:
            transport: the connection's.
            seconds: how long the client may take, plus one for each ``BYTES_PER_S`` it accepts.
        """
        self._transport = transport
        self._seconds = seconds
        self._since: float | None = None
        self._size = 0

    def start(self, now: float) -> None:
        """Note that the client does not accept as fast as it is sent to."""
        self._since = now
        self._size = self._transport.get_write_buffer_size()

    def stop(self) -> None:
        """Note that it has caught up."""
        self._since = None

    def is_over(self, now: float) -> bool:
        """Whether the client's time is up."""
        if self._since is None:
            return False
        accepted = self._size - self._transport.get_write_buffer_size()
        return now - self._since > self._seconds + accepted / BYTES_PER_S


def close_in_order(loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
    """Close a connection in the order that loses nothing (RFC 9112, section 9.6).

    The client gets all that was written, and then ``GRACE_S`` to close its side; what it still
    sends must be read and discarded by the protocol.
    """
    if not transport.can_write_eof():
        transport.close()
        return
    transport.write_eof()
    transport.resume_reading()

    def abort_later() -> None:
        if transport.get_write_buffer_size():
            loop.call_later(GRACE_S, abort_later)
        else:
            loop.call_later(GRACE_S, transport.abort)

    abort_later()


def close_at_once(transport: asyncio.Transport) -> None:
    """Close an idle connection; nothing is waited for but that the client gets what was written."""
    if transport.get_write_buffer_size():
        transport.close()
    else:
        transport.abort()  # With TLS, ``close`` would wait for the client's farewell.


class Connections:
    """The connections of one worker."""

    def __init__(self, most: int, count: ConnectionCount) -> None:
        """A worker without connections.

        Args:
            most: how many the worker holds before idle ones have to go.
            count: shows the other workers how many there are; the acceptor adds to it.
        """
        self._most = most
        self._count = count
        # In the order of their coming, as a set would not be: many come in one moment.
        self._held: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._held))

    def add(self, connection: Connection) -> None:
        """Hold a connection; when there are too many, those that are idle for longest go."""
        self._held[connection] = None
        if len(self._held) <= self._most:
            return
        idle = [
            (item.idle_since, item)
            for item in self._held
            if item.idle_since is not None and item is not connection
        ]
        # Some at once: to look at all of them for each new connection would take the loop's time.
        count = max(1, self._most // _DROPPED_PART)
        for _, item in heapq.nsmallest(count, idle, key=lambda pair: pair[0]):
            item.drop()

    def replace(self, connection: Connection, other: Connection) -> None:
        """Let another protocol serve a connection from now on."""
        del self._held[connection]
        self._held[other] = None

    def remove(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        del self._held[connection]
        self._count.connections -= 1
