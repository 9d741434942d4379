"""gunicorn's HTTP protocol, bounded in time, and in the service's own words.

What it relies on, as of gunicorn 27.0, beside the methods of ``asyncio.Protocol``:
``_current_request`` and ``_body_receiver`` (with ``_complete``), which are ``None`` between
requests; ``_will_close``, which decides whether an answer ends its connection;
``_arm_keepalive_timer``, which it calls when it begins to wait for the next request;
``_send_error_response`` and ``_close_transport``, by which it refuses and ends; ``_closed``,
and ``_safe_write``; ``_is_websocket_upgrade``, and ``_send_response_start``, which writes an
answer's head; ``_REASON_PHRASES``, the words of a status; and ``BodyReceiver``, one for each
request, which waits for its body's next part in ``_wait_for_data`` until ``_waiter`` has a result.
"""

import asyncio
from http import HTTPStatus
from typing import Any, cast

from gunicorn.asgi import protocol
from gunicorn.asgi.protocol import ASGIProtocol, BodyReceiver

from service.api.http.responses import error_response
from service.api.http.slow_clients import (
    HALF_CLOSED_S,
    WriteClock,
    can_be_half_closed,
    close_at_once,
    close_in_order,
    is_too_slow,
)
from service.errors import ServiceError
from service.server.response_heads import head_of
from service.server.worker_interface import WorkerInterface

# gunicorn lacks some, such as 421.
protocol._REASON_PHRASES.update({each.value: each.phrase for each in HTTPStatus})

# What gunicorn's parser refuses, by the status that it chose.
_MESSAGES = {
    400: "The request is not well-formed HTTP.",
    414: "The request line is too long.",
    408: "The request did not come in time.",
    417: "The Expect header asks for something that this service does not support.",
    431: "The request's headers are too large.",
    501: "The Transfer-Encoding is not supported.",
}


class PatientBodyReceiver(BodyReceiver):
    """Hands on a body, and leaves it to the connection how long its client may take.

    gunicorn's waits for each part as long as a worker may be silent, and then reports that the
    client is gone, so that one which may still send would get 500.
    """

    _waiter: asyncio.Future[None] | None

    async def _wait_for_data(self) -> None:
        if self._chunks or self._complete or self._disconnected:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


protocol.BodyReceiver = PatientBodyReceiver


class FullHttpProtocol(ASGIProtocol):
    """One connection, whatever it requests."""

    worker: WorkerInterface
    _closed: bool

    def __init__(self, worker: WorkerInterface) -> None:
        """A connection of ``worker`` that is not made yet."""
        super().__init__(worker)
        self._since = self._came_at = worker.loop.time()
        self._received = 0
        self._has_begun = False
        # Whether the client sends no more.
        self._has_ended = False
        self._writing: WriteClock

    @property
    def idle_since(self) -> float | None:
        """Since when no request is under way; ``None`` while one is, or the connection ends."""
        if self._current_request is not None or self._has_begun or self._closed:
            return None
        return self._since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a connection that no other protocol had before."""
        self.take_over(transport)
        self.worker.connections.add(self)

    def take_over(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a connection that the worker holds already."""
        # uvloop's transports are not asyncio's by type.
        self._writing = WriteClock(cast(asyncio.Transport, transport), self.worker.read_timeout_s)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.worker.connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return  # What the client still sends is discarded.
        self._came_at = self.worker.loop.time()
        if not self._has_begun:
            self._has_begun = True
            self._since = self._came_at
            self._received = 0
        self._received += len(data)
        super().data_received(data)

    def eof_received(self) -> bool:
        """Answer requests that arrived completely; return whether the connection stays open."""
        self._has_ended = True
        if self._has_begun and not self._closed:
            self.worker.loop.call_later(HALF_CLOSED_S, self._give_up)
        return (self._has_begun or self._closed) and can_be_half_closed(self.transport)

    def pause_writing(self) -> None:
        self._writing.start(self.worker.loop.time())
        super().pause_writing()

    def resume_writing(self) -> None:
        self._writing.stop()
        super().resume_writing()

    def check_time(self, now: float) -> None:
        """End the connection if its client is too slow, or has been idle for too long."""
        worker = self.worker
        if self._writing.is_over(now):
            self.transport.abort()
        elif self._closed:
            return
        elif self.idle_since is not None:
            if now - self._since > worker.keep_alive_s:
                self._close_transport()
        elif self._is_reading() and is_too_slow(
            now,
            since=self._since,
            came_at=self._came_at,
            size=self._received,
            seconds=worker.read_timeout_s,
        ):
            self._send_error_response(408, "")
            self._close_transport()

    def end_if_idle(self) -> None:
        """Close the connection unless a request is under way."""
        if self.idle_since is not None:
            self._close_transport()

    def drop(self) -> None:
        """Close the connection at once."""
        self._closed = True
        close_at_once(self.transport)

    def _is_reading(self) -> bool:
        receiver = self._body_receiver
        return self._current_request is None or (receiver is not None and not receiver._complete)

    def _arm_keepalive_timer(self) -> None:
        """Note that a request has ended; the worker's own look closes what is idle."""
        self._has_begun = False
        self._since = self.worker.loop.time()
        if self._has_ended:
            self._close_transport()

    def _give_up(self) -> None:
        """Close the connection of a client that seems to be gone, unless it still receives."""
        if self._closed or self.transport is None:
            return
        if self.transport.get_write_buffer_size():
            self.worker.loop.call_later(HALF_CLOSED_S, self._give_up)
        else:
            self.transport.abort()

    def _will_close(self, request: Any, response_requires_close: bool) -> bool:
        # An unread body would be parsed as the next request.
        receiver = self._body_receiver
        is_unread = receiver is not None and not receiver._complete
        return (
            self.worker.is_draining
            or is_unread
            or bool(super()._will_close(request, response_requires_close))
        )

    def _is_websocket_upgrade(self, request: Any) -> bool:
        # There are no web sockets here, and who offers to upgrade takes a usual answer as well
        # (RFC 9110, section 7.8).
        return False

    def _send_response_start(
        self, status: int, headers: Any, request: Any, close: bool = False
    ) -> None:
        if not close and request.version < (1, 1):
            # A client of HTTP/1.0 waits for the end of the connection without this header.
            headers = [*headers, (b"Connection", b"keep-alive")]
        super()._send_response_start(status, headers, request, close)

    def _send_error_response(
        self, status: int, message: str, extra_headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Reject a request that never reached the application, or that made it fail."""
        text = _MESSAGES.get(status, "The service failed; see its log.")
        answer = error_response(ServiceError(text, status=status))
        head = head_of(answer, dict(extra_headers), self.worker.date, closes=True)
        self._safe_write(head + answer.body)

    def _close_transport(self) -> None:
        """Close the connection; what it still sends is read and discarded."""
        if self._closed or self.transport is None:
            return
        self._closed = True
        if self._has_ended:
            self.transport.close()  # It sends what is left; there is nothing to wait for.
        else:
            close_in_order(self.worker.loop, self.transport)
