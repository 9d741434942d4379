"""How long clients may take over their connections, and how these are closed."""

import asyncio
from typing import cast

# Of a body, or an answer, each so many bytes earn the client another second.
BYTES_PER_S = 64 * 1024
# How long a client may take to close a connection that this side has closed.
GRACE_S = 2.0
# How long a request is still worked on when its client has closed its sending side: it may read on,
# or it may be gone for good; nothing here can distinguish the two.
HALF_CLOSED_S = 1.0


def is_too_slow(now: float, *, since: float, came_at: float, size: int, seconds: float) -> bool:
    """Whether a client takes too long to send something.

    What it has sent earns it time to send more, but not to pause: it would hold its bytes, and so
    the room of others, for as long as it took to send them slowly.

    Args:
        now: the loop's time.
        since: when it began.
        came_at: when something came last.
        size: how many bytes have come.
        seconds: how long it may take, plus one for each ``BYTES_PER_S``, and how long it may pause.
    """
    return now - since > seconds + size / BYTES_PER_S or now - came_at > seconds


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


def can_be_half_closed(transport: asyncio.BaseTransport) -> bool:
    """Whether a client that sends no more can still read; with TLS both directions end at once."""
    # uvloop's transports are not asyncio's by type.
    return cast(asyncio.Transport, transport).can_write_eof()


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
