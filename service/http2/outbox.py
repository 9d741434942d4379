"""Sends answers, as far as the client allows (RFC 9113, section 5.2)."""

import asyncio
from collections.abc import Callable, Iterable

from service.http2.errors import ErrorCode, Http2Error, StreamError
from service.http2.frames import (
    DATA,
    DEFAULT_FRAME_BYTES,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    MOST_WINDOW,
    frame,
    frame_head,
)
from service.http2.stream import Stream


class Outbox:
    """What one connection sends.

    Attributes:
        stream_window: how many bytes may be sent of a stream that begins.
        frame_bytes: the most bytes of a frame's payload.
        is_paused: whether the transport holds enough for now.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        clock: Callable[[], float],
        on_sent: Callable[[], None],
        on_end: Callable[[Stream], None],
    ) -> None:
        """An outbox for a client that has said nothing yet.

        Args:
            transport: the connection's.
            clock: the loop's.
            on_sent: is called when a part of an answer was sent.
            on_end: is called when the last of a stream was sent.
        """
        self._transport = transport
        self._clock = clock
        self._on_sent = on_sent
        self._on_end = on_end
        self.stream_window = DEFAULT_WINDOW
        self.frame_bytes = DEFAULT_FRAME_BYTES
        self.is_paused = False
        self._window = DEFAULT_WINDOW
        # The streams with data that waits, in the order of their turns.
        self._stalled: dict[int, Stream] = {}

    def answer(self, stream: Stream, head: bytes, body: bytes, trailers: bytes) -> None:
        """Send a whole answer, in one piece if the client allows."""
        size = len(body)
        allowed = min(self.frame_bytes, stream.send_window, self._window)
        # What the transport holds is bounded, and counted nowhere: a body waits in its stream.
        if size > allowed or (size and self.is_paused):
            self.begin(stream, head)
            self._queue(stream, body, trailers)
            return
        self._window -= size
        number = stream.id
        self._transport.write(
            b"".join(
                (
                    frame_head(len(head), HEADERS, END_HEADERS, number),
                    head,
                    frame_head(size, DATA, 0, number),
                    body,
                    frame_head(len(trailers), HEADERS, END_HEADERS | END_STREAM, number),
                    trailers,
                )
            )
        )
        self._on_end(stream)

    def refuse(self, stream: Stream, head: bytes) -> None:
        """Send an answer that is a header only."""
        self._transport.write(frame(HEADERS, END_HEADERS | END_STREAM, stream.id, head))
        self._on_end(stream)

    def begin(self, stream: Stream, head: bytes) -> None:
        """Send the header of an answer."""
        self._transport.write(frame(HEADERS, END_HEADERS, stream.id, head))

    def send(self, stream: Stream, data: bytes) -> None:
        """Send some data of a stream, now or when the client allows."""
        self._queue(stream, data, None)

    def end(self, stream: Stream, trailers: bytes) -> None:
        """Send a stream's trailers, after its data."""
        self._queue(stream, b"", trailers)

    def allow(self, stream: Stream | None, increment: int) -> None:
        """Note that the client allows more, for a stream or for all together.

        Raises:
            Http2Error: it is more than all together may be.
            StreamError: it is more than a stream may be.
        """
        if stream is None:
            self._window += increment
            if self._window > MOST_WINDOW:
                raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "The window is too large.")
            self.go_on()
            return
        stream.send_window += increment
        if stream.send_window > MOST_WINDOW:
            raise StreamError(ErrorCode.FLOW_CONTROL_ERROR)
        if stream.id in self._stalled:
            self._send(stream)

    def resize(self, size: int, streams: Iterable[Stream]) -> None:
        """Note what streams may be sent at first, and change those that are open accordingly.

        Raises:
            Http2Error: it is more than a stream may be.
        """
        change = size - self.stream_window
        self.stream_window = size
        for stream in streams:
            stream.send_window += change
            if stream.send_window > MOST_WINDOW:
                raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "A stream's window is too large.")
        self.go_on()

    def go_on(self) -> None:
        """Send what waits, as far as it may be sent now."""
        for stream in tuple(self._stalled.values()):
            if self._window <= 0 or self.is_paused:
                return
            self._send(stream)

    def forget(self, stream: Stream) -> None:
        """Send no more of a stream that has ended."""
        self._stalled.pop(stream.id, None)

    def _queue(self, stream: Stream, data: bytes, trailers: bytes | None) -> None:
        left = stream.unsent
        stream.unsent = memoryview(b"".join((left, data)) if left else data)
        stream.trailers = trailers
        self._send(stream)

    def _send(self, stream: Stream) -> None:
        unsent, at = stream.unsent, 0
        most = min(len(unsent), stream.send_window, self._window)
        while at < most and not self.is_paused:
            size = min(most - at, self.frame_bytes)
            head = frame_head(size, DATA, 0, stream.id)
            self._transport.write(b"".join((head, unsent[at : at + size])))
            at += size
        if at:
            self._on_sent()
        stream.send_window -= at
        self._window -= at
        stream.unsent = unsent[at:]
        if not stream.unsent:
            self._stalled.pop(stream.id, None)
            stream.stalled_since = None
            if stream.trailers is not None:
                self.refuse(stream, stream.trailers)
            else:
                stream.note_room()
            return
        if at or stream.stalled_since is None:
            stream.stalled_since = self._clock()
        # Behind the others.
        self._stalled.pop(stream.id, None)
        self._stalled[stream.id] = stream
