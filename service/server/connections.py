"""The connections that a worker holds: how many, which are idle, and which are too slow."""

from collections.abc import Iterator
from typing import Protocol

from service.seats import Seat

# Of a body, or an answer, each so many bytes earn the client another second.
BYTES_PER_S = 64 * 1024
# How long a client may take to close a connection that this side has closed.
GRACE_S = 2.0


class Connection(Protocol):
    """What speaks with one client."""

    @property
    def idle_since(self) -> float | None:
        """Since when no request is under way, on the loop's clock; ``None`` while one is."""

    def check_time(self, now: float) -> None:
        """End the connection if its client is too slow, or has been idle for too long."""

    def end_if_idle(self) -> None:
        """Close the connection unless a request is under way."""


class Connections:
    """The connections of one worker."""

    def __init__(self, most: int, seat: Seat) -> None:
        """No connections yet.

        Args:
            most: how many the worker holds before idle ones have to go.
            seat: shows the other workers how many there are; who accepts one counts it there.
        """
        self._most = most
        self._seat = seat
        self._held: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._held))

    def add(self, connection: Connection) -> None:
        """Hold a connection; when there are too many, the one that is idle for longest goes."""
        self._held.add(connection)
        if len(self._held) > self._most:
            idle = [(item.idle_since, item) for item in self._held if item.idle_since is not None]
            if idle:
                min(idle, key=lambda pair: pair[0])[1].end_if_idle()

    def replace(self, connection: Connection, other: Connection) -> None:
        """Let another object speak with a connection's client from now on."""
        self._held.remove(connection)
        self._held.add(other)

    def remove(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self._held.remove(connection)
        self._seat.connections -= 1
