"""Limits how long one turn of the event loop begins requests.

A poll of the sockets can find thousands of requests readable. To parse them all before the loop
goes on would keep everything else waiting that long: new connections, health checks, answers that
are ready. So a turn begins requests for some milliseconds only; the others follow in their order,
and between two turns the loop does everything else.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

# Long enough for a hundred small requests, which make a good batch; short beside what a health
# check may take.
_TURN_S = 0.005


class LoopTimeSlices:
    """Limits the time of each turn of one event loop. All methods are called on its thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """The time slices of a loop that has begun no request."""
        self._loop = loop
        self._end = 0.0
        self._scheduled = False
        self._waiting: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()

    def begin(self, now: float, work: Callable[..., None], *arguments: Any) -> None:
        """Call ``work`` with ``arguments``: at once, or in a later turn if this one is over.

        Args:
            now: the time, as ``time.monotonic`` has it.
            work: what to do; it must not raise.
            arguments: what ``work`` is called with.
        """
        if not self._scheduled:
            self._schedule(now)
        if self._waiting or now > self._end:
            self._waiting.append((work, arguments))
        else:
            work(*arguments)

    def _schedule(self, now: float) -> None:
        self._scheduled = True
        self._end = now + _TURN_S
        self._loop.call_soon(self._next)

    def _next(self) -> None:
        self._scheduled = False
        if not self._waiting:
            return
        now = monotonic()
        self._schedule(now)
        waiting = self._waiting
        while waiting and now <= self._end:
            work, arguments = waiting.popleft()
            work(*arguments)
            now = monotonic()
