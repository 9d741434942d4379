"""HTTP/1.1 for predictions only.

gunicorn's protocol object and ASGI's messages cost as much as all the rest of a small prediction
(docs/performance.md). This one reads plain heads of predictions and bodies of a known length. At
the first other request the connection is handed to gunicorn's protocol for good, with all bytes
received so far; so gunicorn's parser rejects what is malformed.
"""

import asyncio
from collections.abc import Mapping
from typing import cast

from service.api.http.body_budget import UNCOUNTED_BYTES
from service.api.http.responses import Response, error_response
from service.api.http.slow_clients import (
    HALF_CLOSED_S,
    WriteClock,
    can_be_half_closed,
    close_at_once,
    close_in_order,
    is_too_slow,
)
from service.api.inference.prediction_loop import RunningPrediction
from service.errors import ServiceError
from service.server.full_http_protocol import FullHttpProtocol
from service.server.request_heads import END, PredictionHead
from service.server.response_heads import head_of
from service.server.worker_interface import WorkerInterface

# The longest plain head; gunicorn rejects longer ones.
_MOST_HEAD = 16 * 1024
_START = b"POST /v"
# What may wait behind a request that is being answered.
_MOST_AHEAD = 64 * 1024
# Up to here head and body of an answer are copied into one piece, which is one system call.
_ONE_PIECE = 64 * 1024


class PredictionProtocol(asyncio.Protocol):
    """One connection, for as long as it asks for predictions alone."""

    def __init__(self, host: WorkerInterface) -> None:
        """A connection of ``host`` that is not made yet."""
        self._host = host
        self._transport: asyncio.Transport
        self._client = ""
        # Received bytes that were not parsed yet: of a head, or after the request that is answered.
        self._held = b""
        self._head: PredictionHead | None = None
        self._key_name = ""
        self._share = host.budget.open()
        self._parts: list[bytes] = []
        self._have = 0
        self._running: RunningPrediction | None = None
        self._is_answering = False
        self._is_closing = False
        # How many bytes of a refused request's body are still to be received and discarded.
        self._refused = 0
        # Whether bytes after the last request are to be parsed in the loop's next turn.
        self._will_go_on = False
        # Whether the client sends no more.
        self._has_ended = False
        self._since = self._came_at = host.loop.time()
        self._writing: WriteClock

    @property
    def idle_since(self) -> float | None:
        """Since when no request is under way; ``None`` while one is, or the connection ends."""
        if self._is_answering or self._held or self._head is not None or self._is_closing:
            return None
        return self._since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not asyncio's by type.
        self._transport = cast(asyncio.Transport, transport)
        self._writing = WriteClock(self._transport, self._host.read_timeout_s)
        peer = transport.get_extra_info("peername")
        self._client = str(peer[0]) if isinstance(peer, tuple) else ""
        self._host.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        self._host.connections.remove(self)
        self._forget_body()
        if self._running is not None:
            self._running.abandon()
            self._running = None

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return  # What the client still sends is discarded.
        if self._refused:
            refused = min(self._refused, len(data))
            self._refused -= refused
            data = data[refused:]
            if not data:
                return
        if self._is_answering:
            self._held += data
            if len(self._held) > _MOST_AHEAD:
                self._transport.pause_reading()
            return
        if self._head is not None:
            self._read_body(data)
            return
        if not self._held:
            self._since = self._host.loop.time()
        self._held = self._held + data if self._held else data
        self._read_head()

    def eof_received(self) -> bool:
        """Answer requests that arrived completely; return whether the connection stays open."""
        self._has_ended = True
        if self._is_closing:
            return can_be_half_closed(self._transport)
        if not (self._is_answering or self._will_go_on):
            return False
        self._host.loop.call_later(HALF_CLOSED_S, self._give_up)
        return can_be_half_closed(self._transport)

    def pause_writing(self) -> None:
        self._writing.start(self._host.loop.time())

    def resume_writing(self) -> None:
        self._writing.stop()

    def check_time(self, now: float) -> None:
        """End the connection if its client is too slow, or has been idle for too long."""
        host = self._host
        if self._writing.is_over(now):
            self._transport.abort()
        elif self._is_closing:
            return
        elif self.idle_since is not None:
            if now - self._since > host.keep_alive_s:
                self._close()
        elif not self._is_answering and is_too_slow(
            now,
            since=self._since,
            # Of a head that is not whole, nothing is noted.
            came_at=max(self._since, self._came_at),
            size=self._have + len(self._held),
            seconds=host.read_timeout_s,
        ):
            late = ServiceError("The request did not come in time.", status=408)
            self._write(error_response(late), {}, closes=True)
            self._close()

    def end_if_idle(self) -> None:
        """Close the connection unless a request is under way."""
        if self.idle_since is not None:
            self._close()

    def drop(self) -> None:
        """Close the connection at once."""
        self._is_closing = True
        close_at_once(self._transport)

    def _read_head(self) -> None:
        held = self._held
        end = held.find(END)
        if end < 0:
            if len(held) > _MOST_HEAD or not held.startswith(_START[: len(held)]):
                self._delegate()
            return
        end += len(END)
        head = self._host.heads.read(held[:end])
        if head is None or head.length > self._host.max_body_bytes:
            self._delegate()
            return
        self._held = b""
        self._head = head
        try:
            self._key_name = self._host.predictions.admit(head.route, head.environ)
        except ServiceError as error:
            self._refuse(head, error, held[end:])
            return
        if head.length > UNCOUNTED_BYTES:
            self._share = self._host.budget.open()
        self._read_body(held[end:])

    def _refuse(self, head: PredictionHead, error: ServiceError, came: bytes) -> None:
        """Refuse a request whose body is not read; a long one ends the connection.

        Args:
            head: its head.
            error: why it is refused.
            came: the head and the bytes that were received after it.
        """
        answer, headers = self._host.predictions.refuse(head.environ, self._client, error)
        self._held = came[head.length :]
        missing = max(0, head.length - len(came))
        if missing <= _MOST_AHEAD:
            self._refused = missing
        self._respond(answer, headers, closes=missing > _MOST_AHEAD)

    def _read_body(self, data: bytes) -> None:
        head = self._head
        assert head is not None
        missing = head.length - self._have
        if head.length > UNCOUNTED_BYTES:
            try:
                self._share.add(min(len(data), missing))
            except ServiceError as error:
                answer, headers = self._host.predictions.refuse(head.environ, self._client, error)
                self._write(answer, headers, closes=True)
                self._close()
                return
        if len(data) < missing:
            self._parts.append(data)
            self._have += len(data)
            self._came_at = self._host.loop.time()
            return
        if len(data) > missing:
            data, self._held = data[:missing], data[missing:]
        if self._parts:
            self._parts.append(data)
            data = b"".join(self._parts)
            self._parts = []
        self._have = 0
        self._is_answering = True
        host = self._host
        running = host.predictions.start(
            head.route, head.environ, self._client, data, self._respond, key_name=self._key_name
        )
        if self._is_answering:
            self._running = running

    def _respond(
        self, answer: Response, headers: Mapping[str, str], *, closes: bool = False
    ) -> None:
        head, self._head, self._running = self._head, None, None
        assert head is not None
        self._share.release()
        if self._is_closing:
            return
        is_last = self._has_ended and not self._held
        closes = closes or head.closes or self._host.is_draining or is_last
        self._write(answer, headers, closes=closes)
        self._is_answering = False
        self._since = self._host.loop.time()
        if closes:
            self._close()
        elif self._held:
            # Not at once: answers that are ready at once would nest.
            self._will_go_on = True
            self._host.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Read the request that arrived after the last one."""
        self._will_go_on = False
        if not self._is_closing and not self._is_answering and self._held:
            self._transport.resume_reading()
            self._read_head()
        if self._has_ended and not (self._is_answering or self._will_go_on):
            self._close()  # The rest of this request will never come.

    def _give_up(self) -> None:
        """Close the connection of a client that seems gone, and drop its queued request."""
        if self._is_answering and not self._is_closing:
            self._transport.abort()

    def _write(self, answer: Response, headers: Mapping[str, str], *, closes: bool) -> None:
        head = head_of(answer, headers, self._host.date, closes=closes)
        if len(answer.body) <= _ONE_PIECE:
            self._transport.write(head + answer.body)
        else:
            self._transport.writelines((head, answer.body))

    def _close(self) -> None:
        """Close the connection; what it still sends is read and discarded."""
        if self._is_closing:
            return
        self._is_closing = True
        if not self._is_answering:
            self._forget_body()
        self._held, self._parts = b"", []
        if self._has_ended:
            self._transport.close()  # It sends what is left; there is nothing to wait for.
        else:
            close_in_order(self._host.loop, self._transport)

    def _forget_body(self) -> None:
        """Give back what the body of the request under way has taken of the budget."""
        if self._head is not None:
            self._share.release()
            self._head = None

    def _delegate(self) -> None:
        """Pass the connection, and what was received on it, to gunicorn's protocol."""
        if self._is_closing:
            return
        # This object has no more to do with the connection, whatever it has still planned.
        self._is_closing = True
        protocol = FullHttpProtocol(self._host)
        self._host.connections.replace(self, protocol)
        self._transport.set_protocol(protocol)
        protocol.take_over(self._transport)
        protocol.data_received(self._held)
        if self._has_ended and not protocol.eof_received():
            self._transport.close()
