"""Connections that the main loop waits for, so that no thread does."""

import selectors
import time
from collections.abc import Callable
from itertools import takewhile

from gunicorn.workers.gthread import TConn


class Waiting:
    """Connections of which each is waited for equally long."""

    def __init__(self, poller: selectors.BaseSelector, *, seconds: float) -> None:
        """Prepare.

        Args:
            poller: the main loop's.
            seconds: how long to wait for a connection.
        """
        self._poller = poller
        self._seconds = seconds
        # Until when; the oldest come first.
        self._until: dict[TConn, float] = {}

    def add(self, conn: TConn, on_readable: Callable[[TConn], None]) -> None:
        """Wait for a connection; ``on_readable`` is called whenever something has come."""
        self._until[conn] = time.monotonic() + self._seconds
        self._poller.register(conn.sock, selectors.EVENT_READ, lambda _: on_readable(conn))

    def remove(self, conn: TConn) -> None:
        """Wait for it no more."""
        del self._until[conn]
        self._poller.unregister(conn.sock)

    def overdue(self) -> list[TConn]:
        """Return those that have been waited for long enough."""
        now = time.monotonic()
        return [conn for conn, _ in takewhile(lambda item: item[1] <= now, self._until.items())]
