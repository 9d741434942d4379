"""The socket of one client: bounded in time, and frugal with system calls.

A system call that may block gives the interpreter's lock away and has to get it back, which
under load costs more than the call; so the usual request is read by one and answered by one.
"""

import contextlib
import select
import socket
import struct
import time
from typing import Any

from service.errors import ServiceError

# How long a read waits in the kernel before it looks at the clock; it is also how long
# ``next_bytes`` waits.
_WAIT_S = 0.02
# Each so many bytes that have come, or gone, earn the client another second.
_BYTES_PER_S = 64 * 1024
_CHUNK = 8192
# The most that is read at a time: gunicorn asks for all that is missing of a body, and keeps what
# nobody has asked for yet, which no bound on bodies sees.
_MOST_READ = 256 * 1024
# What is thrown away at a time of what a client sends after this side has closed.
_MOST_DISCARDED = 64 * 1024


class ClientSocket(socket.socket):
    """An accepted connection, with what gunicorn calls of a socket.

    gunicorn's ``settimeout`` and ``setblocking`` are remembered here and not told to the kernel,
    where each would be a system call.
    """

    def __init__(self, accepted: socket.socket, *, seconds: float) -> None:
        """Take over ``accepted``, which is detached.

        Args:
            accepted: the connection.
            seconds: what a client gets for sending a request, and for taking an answer, besides
                what it earns by the bytes that it moves; it may not pause for longer either.
        """
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        wait = struct.pack("ll", 0, int(_WAIT_S * 1e6))
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
        self._seconds = seconds
        self._timeout: float | None = None
        self._start = time.monotonic()
        self._received = 0
        # Whether the last request has been answered, and the next has not begun.
        self._answered = True
        # None: nothing is held back; empty: what is sent next will be.
        self._held: bytes | None = None
        # What tells a client to send its body, until it is read.
        self._go_on = b""

    @property
    def holds_go_on(self) -> bool:
        """Whether the client may still wait to be told to send its body."""
        return bool(self._go_on)

    def begin_request(self) -> None:
        """Start the clock for a request whose first bytes are there, unless it runs already."""
        if self._answered:
            self._start = time.monotonic()
            self._received = 0
            self._answered = False

    def begin_answer(self) -> None:
        """Hold back what is sent first, the head, until the body follows."""
        self._held = b""

    def end_answer(self) -> None:
        """Send what is still held back: the head of an answer without a body."""
        held, self._held = self._held, None
        self._answered = True
        self._go_on = b""
        if held and self.fileno() >= 0:
            self._send(held)

    def next_bytes(self, wait: bool) -> bytes | None:
        """Return what comes within some milliseconds, empty at the end; ``None`` if nothing.

        Args:
            wait: whether to wait at all.
        """
        try:
            return super().recv(_CHUNK, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""  # The client is gone, and has not said so.

    def discard(self) -> bool:
        """Throw away what has come; ``True`` if there is no more to wait for."""
        try:
            return not super().recv(_MOST_DISCARDED, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Read as ever, within the time that the request has.

        Raises:
            ServiceError: 408, the time is up.
            TimeoutError: the same, when the request has been answered; or gunicorn's own limit.
            BlockingIOError: there is nothing, and gunicorn would not wait.
        """
        if self._go_on:
            told, self._go_on = self._go_on, b""
            self._send(told)
        while True:
            try:
                data = super().recv(
                    min(bufsize, _MOST_READ),
                    flags if self._timeout != 0 else flags | socket.MSG_DONTWAIT,
                )
            except BlockingIOError:
                if not self._may_wait(select.POLLIN, self._start, self._received):
                    if self._answered:
                        raise TimeoutError("The client is too slow.") from None
                    raise ServiceError("The request did not come in time.", status=408) from None
            else:
                self._received += len(data)
                return data

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Keep ``100 Continue`` until the body is read: a request that is refused gets none.

        gunicorn sends nothing else this way.
        """
        self._go_on = bytes(data)
        return len(data)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Write as ever, within a time; the first part of an answer goes with the second.

        Raises:
            BrokenPipeError: the client does not take what it is sent.
            BlockingIOError: there is no room, and gunicorn would not wait.
        """
        if self._held is None:
            self._send(data)
        elif not self._held:
            self._held = bytes(data)
        else:
            held, self._held = self._held, None
            self._answered = True
            self._send(held, data)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file as ever; a client may pause for as long as it may take for a request."""
        self.end_answer()
        self._timeout = self._seconds
        try:
            return super().sendfile(file, offset, count)
        finally:
            self._timeout = None

    def settimeout(self, value: float | None, /) -> None:
        """Remember a limit for each wait, in seconds."""
        self._timeout = value

    def setblocking(self, flag: bool, /) -> None:
        """Remember whether to wait at all."""
        self._timeout = None if flag else 0.0

    def gettimeout(self) -> float | None:
        """Return the limit for each wait."""
        return self._timeout

    def _send(self, *parts: Any) -> None:
        left = [memoryview(part) for part in parts]
        start, sent = time.monotonic(), 0
        while left:
            try:
                count = self.sendmsg(left, (), socket.MSG_DONTWAIT)
            except BlockingIOError:
                count = 0
                if not self._may_wait(select.POLLOUT, start, sent):
                    # What gunicorn expects of clients that are gone.
                    raise BrokenPipeError(32, "The client does not take its answer.") from None
            sent += count
            while left and count >= len(left[0]):
                count -= len(left.pop(0))
            if left:
                left[0] = left[0][count:]

    def _may_wait(self, event: int, start: float, moved: int) -> bool:
        """Wait for ``event``; ``False`` if the time for it is up."""
        if self._timeout == 0:
            raise BlockingIOError
        seconds = min(
            self._seconds if self._timeout is None else self._timeout,
            start + self._seconds + moved / _BYTES_PER_S - time.monotonic(),
        )
        return seconds > 0 and self._poll(event, seconds)

    def _poll(self, event: int, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self, event)
        with contextlib.suppress(OSError):
            return bool(poll.poll(seconds * 1000))
        return False
