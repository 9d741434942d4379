"""One connection: its streams, what a client may do to them, and how it ends."""

import asyncio
from typing import Any, cast

from service.api.http.slow_clients import BYTES_PER_S, WriteClock, close_at_once, close_in_order
from service.http2.connection_closing import ConnectionClosing
from service.http2.control_frames import ControlFrames
from service.http2.errors import ErrorCode, Http2Error, StreamError
from service.http2.frame_reader import MOST_DATA_BYTES, FrameReader, NoPrefaceError
from service.http2.frames import (
    DEFAULT_WINDOW,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    reset_frame,
    settings_frame,
    window_frame,
)
from service.http2.header_decoder import MOST_HEADER_BYTES, HeaderDecoder
from service.http2.outbox import Outbox
from service.http2.request_host import RequestHost
from service.http2.stream import Stream

# Streams at once; beyond, they are refused, and the client may try again.
_MOST_STREAMS = 5_000
# What a client may send of all streams together. Memory is bounded elsewhere, as bytes arrive, so
# this is rarely renewed.
_WINDOW = 2**30
# Streams that were ended before the client had sent all, of which more may come.
_MOST_CUT = 10_000
# What the transport may hold before nothing more is read or written.
_MOST_UNSENT = 1024 * 1024
_NO_HTTP2 = b"This port speaks gRPC, which needs HTTP/2 from the first byte on.\n"
_NOT_HERE = (
    b"HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(_NO_HTTP2), _NO_HTTP2)
)


class Http2Connection(asyncio.Protocol):
    """The connection of one client.

    Attributes:
        client: the client's address.
    """

    def __init__(self, host: RequestHost) -> None:
        """A connection of ``host`` that is not made yet."""
        self._host = host
        self._clock = host.loop.time
        self.client = ""
        self._transport: asyncio.Transport
        self._outbox: Outbox
        self._closing: ConnectionClosing
        self._controls: ControlFrames
        self._writing: WriteClock
        self._reader = FrameReader(self)
        self._decoder: HeaderDecoder[Any] = HeaderDecoder(host.read_head)
        self._streams: dict[int, Stream] = {}
        self._cut: dict[int, None] = {}
        # The last stream that the client began.
        self._last = 0
        self._window = _WINDOW
        self._has_greeted = False
        self._is_closing = False
        # What comes while a part is left to another turn of the loop, if one is.
        self._later: list[bytes] | None = None
        self._idle_since = self._clock()
        # Since when a part is held of what must come whole, what has come since, and how many
        # frames had come before.
        self._waiting_since: float | None = self._idle_since
        self._waiting_bytes = self._frames = 0

    @property
    def idle_since(self) -> float | None:
        """Since when no request is under way; ``None`` while one is, or the connection ends."""
        return None if self._streams or self._is_closing else self._idle_since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not asyncio's by type.
        self._transport = made = cast(asyncio.Transport, transport)
        made.set_write_buffer_limits(high=_MOST_UNSENT)
        self._writing = WriteClock(made, self._host.read_timeout_s)
        self._outbox = Outbox(made, self._clock, self._on_sent, self._on_end)
        self._closing = ConnectionClosing(self._clock(), self._write)
        self._controls = ControlFrames(
            self._write, self._clock, self._outbox, self._closing, self._streams
        )
        peer = transport.get_extra_info("peername")
        self.client = str(peer[0]) if isinstance(peer, tuple) else ""
        self._host.register.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closing = True
        self._host.register.remove(self)
        self._forget_all()

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return  # What the client still sends is discarded.
        if self._later is not None:
            self._later.append(data)
            return
        self._closing.hear(self._clock())
        self._read(data)

    def eof_received(self) -> bool:
        """Close: a client of HTTP/2 that sends no more wants no more."""
        return False

    def pause_writing(self) -> None:
        """Read no more, so that no more is answered, until the client takes what there is."""
        self._writing.start(self._clock())
        self._outbox.is_paused = True
        if not self._is_closing:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._writing.stop()
        self._outbox.is_paused = False
        if self._is_closing:
            return
        self._outbox.go_on()
        self._resume_reading()

    def check_time(self, now: float) -> None:
        """End the connection, or streams of it, if the client is too slow, silent or old."""
        if self._writing.is_over(now):
            self._transport.abort()
        if self._is_closing:
            return
        timeout_s, since = self._host.read_timeout_s, self._waiting_since
        if since is not None and now - since > timeout_s + self._waiting_bytes / BYTES_PER_S:
            self._fail(Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "A frame did not come in time."))
            return
        for stream in tuple(self._streams.values()):
            stalled = stream.stalled_since
            if stalled is not None and now - stalled > timeout_s:
                self.reset(stream, ErrorCode.CANCEL)
            elif stream.receiver is not None:
                stream.receiver.check_time(now)
        if not self._closing.check(now, self._last):
            self._transport.abort()
        self._close_if_done()

    def leave(self) -> None:
        """Ask the client to make another connection, and close when all is answered."""
        if not self._is_closing:
            self._closing.warn(self._clock())

    def end_if_idle(self) -> None:
        """Close the connection unless a request is under way."""
        if self.idle_since is not None:
            self._closing.go(self._last)
            self._close_if_done()

    def drop(self) -> None:
        """Close the connection at once."""
        if not self._is_closing:
            self._closing.go(self._last)
            self._is_closing = True
        close_at_once(self._transport)

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """End a stream without an answer."""
        if not stream.is_closed:
            self._transport.write(reset_frame(stream.id, code))
            self._forget(stream)

    def grant(self, stream: Stream, count: int) -> None:
        """Let the client send so many more bytes of a stream."""
        if not (stream.is_closed or stream.is_whole):
            stream.window += count
            self._transport.write(window_frame(stream.id, count))

    def on_preface(self) -> None:
        self._greet()

    def _greet(self) -> None:
        """Say what the client may do, which comes before all else (RFC 9113, section 3.4).

        A connection may end before its client has sent anything; a client that is greeted then
        takes it for one that worked, and asks another.
        """
        if self._has_greeted:
            return
        self._has_greeted = True
        settings = {
            MAX_CONCURRENT_STREAMS: _MOST_STREAMS,
            INITIAL_WINDOW_SIZE: self._host.stream_window,
            MAX_FRAME_SIZE: MOST_DATA_BYTES,
            MAX_HEADER_LIST_SIZE: MOST_HEADER_BYTES,
        }
        self._transport.write(settings_frame(settings) + window_frame(0, _WINDOW - DEFAULT_WINDOW))

    def on_data(self, stream: int, payload: bytes, size: int, is_last: bool) -> None:
        self._window -= size
        if self._window < _WINDOW // 2:
            # More than that cannot come in one turn.
            self._transport.write(window_frame(0, _WINDOW - self._window))
            self._window = _WINDOW
        found = self._streams.get(stream)
        if found is None or found.is_whole:
            self._check_cut(stream, is_last)
            return
        found.window -= size
        if found.window < 0:
            self.reset(found, ErrorCode.FLOW_CONTROL_ERROR)
            self._controls.count_reset()
            return
        if not (payload or is_last):
            self._controls.count()
        found.is_whole = is_last
        if found.receiver is not None:
            found.receiver.receive(payload, is_last)

    def on_headers(self, stream: int, block: bytes, is_last: bool) -> None:
        found = self._streams.get(stream)
        if found is not None:
            self._take_trailers(found, block, is_last)
            return
        if stream <= self._last or self._closing.is_final:
            self._decoder.skip(block)
            self._check_cut(stream, is_last)
            return
        if not stream & 1:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "A client's streams have odd numbers.")
        self._last = stream
        new = Stream(self, self._outbox, stream, self._host.stream_window)
        new.is_whole = is_last
        self._streams[stream] = new
        try:
            head = self._decoder.head(block)
            if len(self._streams) > _MOST_STREAMS:
                raise StreamError(ErrorCode.REFUSED_STREAM)
            receiver = self._host.open(new, head)
        except StreamError as error:
            self.reset(new, error.code)
            self._controls.count_reset()
            return
        if new.is_closed:
            receiver.close()
            return
        new.receiver = receiver
        if is_last:
            receiver.receive(b"", True)

    def on_control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        try:
            is_broken_off = self._controls.take(kind, flags, stream, payload, self._last)
        except StreamError as error:
            if (found := self._streams.get(stream)) is not None:
                self.reset(found, error.code)
            self._controls.count_reset()
            return
        if is_broken_off:
            self._cut.pop(stream, None)
            if (found := self._streams.get(stream)) is not None:
                found.is_whole = True
                self._forget(found)
                self._controls.count_reset()
        self._close_if_done()

    def _take_trailers(self, stream: Stream, block: bytes, is_last: bool) -> None:
        self._decoder.skip(block)
        if stream.is_whole:
            raise Http2Error(ErrorCode.STREAM_CLOSED, "Headers came after a stream's end.")
        if not is_last:
            self.reset(stream, ErrorCode.PROTOCOL_ERROR)
            self._controls.count_reset()
            return
        stream.is_whole = True
        if stream.receiver is not None:
            stream.receiver.receive(b"", True)

    def _check_cut(self, stream: int, is_last: bool) -> None:
        """Check that a frame of no open stream may be on its way since that was ended here.

        Raises:
            Http2Error: it may not.
        """
        if stream in self._cut:
            if is_last:
                del self._cut[stream]
        elif stream <= self._last:
            raise Http2Error(ErrorCode.STREAM_CLOSED, "A frame came after its stream's end.")
        elif not self._closing.is_final:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "Data came for a stream before its headers.")

    def _on_sent(self) -> None:
        """Note that a part of an answer was sent."""
        self._controls.note_answer()

    def _on_end(self, stream: Stream) -> None:
        """Note that a stream was answered; what is still to come of it is not read."""
        if not stream.is_whole:
            self._transport.write(reset_frame(stream.id, ErrorCode.NO_ERROR))
        self._controls.note_answer()
        self._forget(stream)
        self._close_if_done()

    def _forget(self, stream: Stream) -> None:
        del self._streams[stream.id]
        stream.is_closed = True
        self._outbox.forget(stream)
        if not stream.is_whole:
            self._cut[stream.id] = None
            if len(self._cut) > _MOST_CUT:
                del self._cut[next(iter(self._cut))]
        if not self._streams:
            self._idle_since = self._clock()
        # It refers to this stream, and the two would keep one another.
        receiver, stream.receiver = stream.receiver, None
        if receiver is not None:
            receiver.close()

    def _forget_all(self) -> None:
        for stream in tuple(self._streams.values()):
            self._forget(stream)

    def _read(self, data: bytes) -> None:
        try:
            is_all = self._reader.feed(data)
        except NoPrefaceError:
            self._transport.write(_NOT_HERE)
            self._close()
            return
        except Http2Error as error:
            self._fail(error)
            return
        if self._is_closing:
            return
        if not is_all and not self._transport.is_closing():
            self._later = []
            self._transport.pause_reading()
            self._host.loop.call_soon(self._go_on)
        if not self._reader.is_waiting:
            self._waiting_since = None
        elif self._waiting_since is None or self._reader.count != self._frames:
            self._waiting_since, self._waiting_bytes = self._clock(), 0
            self._frames = self._reader.count
        else:
            self._waiting_bytes += len(data)

    def _go_on(self) -> None:
        """Read what was left to this turn of the loop."""
        later, self._later = self._later or [], None
        if self._is_closing:
            return
        self._read(b"".join(later))
        self._resume_reading()

    def _resume_reading(self) -> None:
        if self._later is None and not (
            self._outbox.is_paused or self._is_closing or self._transport.is_closing()
        ):
            self._transport.resume_reading()

    def _write(self, data: bytes) -> None:
        if not self._is_closing:
            self._greet()
            self._transport.write(data)

    def _fail(self, error: Http2Error) -> None:
        """End the connection of a client that broke the protocol."""
        self._closing.go(self._last, error.code, error.message)
        self._close()

    def _close_if_done(self) -> None:
        if self._closing.is_final and not self._streams and not self._is_closing:
            self._close()

    def _close(self) -> None:
        """Close the connection; what it still sends is read and discarded."""
        self._is_closing = True
        self._forget_all()
        close_in_order(self._host.loop, self._transport)
