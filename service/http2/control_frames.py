"""Control frames, which change the state of a connection (RFC 9113, section 6)."""

from collections.abc import Callable, Mapping

from service.http2.connection_closing import ConnectionClosing
from service.http2.errors import ErrorCode, Http2Error, StreamError
from service.http2.flood_limits import FloodLimit, PingLimit
from service.http2.frames import (
    ACK,
    DEFAULT_FRAME_BYTES,
    ENABLE_PUSH,
    GOAWAY,
    INITIAL_WINDOW_SIZE,
    LAST_STREAM,
    MAX_FRAME_SIZE,
    MOST_FRAME_BYTES,
    MOST_WINDOW,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    read_settings,
    unpack_number,
)
from service.http2.outbox import Outbox
from service.http2.stream import Stream

# Frames that ask nothing: at once, in a second, and more for each answer.
_MOST_IDLE, _IDLE_PER_S, _IDLE_PER_ANSWER = 5_000, 500, 8
# Streams that a client may break off, or break, at once and in a second.
_MOST_RESETS, _RESETS_PER_S = 1_000, 100
# A change of all streams' windows costs as much as so many other frames, for each stream.
_COST_PER_STREAM = 0.05
_LEAST_PING_S, _MOST_PING_STRIKES = 10.0, 2

# The lengths of payloads that have only one.
_LENGTHS = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
_OF_STREAMS = frozenset({PRIORITY, RST_STREAM})
_OF_CONNECTIONS = frozenset({SETTINGS, PING, GOAWAY})


class ControlFrames:
    """Takes such frames of one connection, and bounds how many there are."""

    def __init__(
        self,
        write: Callable[[bytes], None],
        clock: Callable[[], float],
        outbox: Outbox,
        closing: ConnectionClosing,
        streams: Mapping[int, Stream],
    ) -> None:
        """A connection that has received no frame.

        Args:
            write: sends frames.
            clock: the loop's.
            outbox: what the client's windows are for.
            closing: whether the connection stays.
            streams: those that are open, by their numbers.
        """
        self._write = write
        self._outbox = outbox
        self._closing = closing
        self._streams = streams
        self._idle = FloodLimit(clock, most=_MOST_IDLE, per_s=_IDLE_PER_S)
        self._resets = FloodLimit(clock, most=_MOST_RESETS, per_s=_RESETS_PER_S)
        self._pings = PingLimit(clock, least_s=_LEAST_PING_S, most_strikes=_MOST_PING_STRIKES)

    def note_answer(self) -> None:
        """Note that something was sent, about which a client may have more to say."""
        self._idle.give(_IDLE_PER_ANSWER)
        self._pings.forgive()

    def count(self, cost: float = 1) -> None:
        """Count a frame that asks nothing.

        Raises:
            Http2Error: there were too many.
        """
        if not self._idle.take(cost):
            raise Http2Error(
                ErrorCode.ENHANCE_YOUR_CALM, "Too many frames came that ask for nothing."
            )

    def count_reset(self) -> None:
        """Count a stream that the client broke off or broke (as in CVE-2023-44487).

        Raises:
            Http2Error: there were too many.
        """
        if not self._resets.take():
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "Too many streams were broken off.")

    def take(self, kind: int, flags: int, stream: int, payload: bytes, last: int) -> bool:
        """Take a frame that is neither of data nor of headers.

        Args:
            kind: its kind; unknown ones mean nothing.
            flags: its flags.
            stream: its stream.
            payload: its payload.
            last: the last stream that the client has begun.

        Returns:
            Whether it breaks the stream off.

        Raises:
            Http2Error: it breaks the protocol, or there were too many.
            StreamError: it breaks the rules of its stream.
        """
        self.count()
        self._check(kind, stream, len(payload), last)
        if kind == WINDOW_UPDATE:
            self._allow(stream, payload)
        elif kind == SETTINGS:
            self._set(flags, payload)
        elif kind == PING:
            self._ping(flags, payload, last)
        elif kind == GOAWAY:
            # It begins no more streams.
            self._closing.go(last)
        elif kind == PUSH_PROMISE:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "A client cannot push.")
        return kind == RST_STREAM

    @staticmethod
    def _check(kind: int, stream: int, length: int, last: int) -> None:
        if _LENGTHS.get(kind, length) != length:
            if kind == PRIORITY and stream:
                raise StreamError(ErrorCode.FRAME_SIZE_ERROR)
            raise Http2Error(
                ErrorCode.FRAME_SIZE_ERROR,
                f"Expected {_LENGTHS[kind]} bytes in a frame of kind {kind}, not {length}.",
            )
        if (kind in _OF_STREAMS and not stream) or (kind in _OF_CONNECTIONS and stream):
            raise Http2Error(
                ErrorCode.PROTOCOL_ERROR, f"A frame of kind {kind} came for stream {stream}."
            )
        is_idle = stream > last or not (stream & 1)
        if stream and is_idle and kind in (RST_STREAM, WINDOW_UPDATE):
            raise Http2Error(
                ErrorCode.PROTOCOL_ERROR,
                f"A frame of kind {kind} came for stream {stream}, which has not begun.",
            )

    def _allow(self, stream: int, payload: bytes) -> None:
        increment = unpack_number(payload)[0] & LAST_STREAM
        if not increment:
            if not stream:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "A window was enlarged by nothing.")
            raise StreamError(ErrorCode.PROTOCOL_ERROR)
        if not stream:
            self._outbox.allow(None, increment)
        elif (found := self._streams.get(stream)) is not None:
            self._outbox.allow(found, increment)

    def _set(self, flags: int, payload: bytes) -> None:
        if flags & ACK or len(payload) % 6:
            if payload:
                raise Http2Error(
                    ErrorCode.FRAME_SIZE_ERROR, f"Settings came in {len(payload)} bytes."
                )
            return
        # Acknowledged once they are in force.
        for name, value in read_settings(payload):
            if name == INITIAL_WINDOW_SIZE:
                if value > MOST_WINDOW:
                    raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "A window is too large.")
                self.count(len(self._streams) * _COST_PER_STREAM)
                self._outbox.resize(value, self._streams.values())
            elif name == MAX_FRAME_SIZE:
                if not DEFAULT_FRAME_BYTES <= value <= MOST_FRAME_BYTES:
                    raise Http2Error(
                        ErrorCode.PROTOCOL_ERROR, f"Frames cannot have up to {value} bytes."
                    )
                self._outbox.frame_bytes = value
            elif name == ENABLE_PUSH and value > 1:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, f"Push cannot be {value}.")
        self._write(frame(SETTINGS, ACK, 0))

    def _ping(self, flags: int, payload: bytes, last: int) -> None:
        if flags & ACK:
            self._closing.hear_answer(payload, last)
            return
        if not self._pings.take():
            # The words by which gRPC's clients know that they are to ping less often.
            raise Http2Error(ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings")
        self._write(frame(PING, ACK, 0, payload))
