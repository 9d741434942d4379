"""The connections that a worker holds: how many, which are idle, and which are too slow."""

import heapq
from collections.abc import Iterator
from typing import Protocol

from service.server.connection_balancing import ConnectionCount

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


class OpenConnections:
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
