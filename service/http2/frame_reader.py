"""Divides what a client sends into frames."""

from time import monotonic
from typing import Protocol

from service.http2.errors import ErrorCode, Http2Error
from service.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEAD_BYTES,
    HEADERS,
    LAST_STREAM,
    PADDED,
    PREFACE,
    PRIORITIZED,
    unpack_head,
)

# Of data, as SETTINGS_MAX_FRAME_SIZE says. It is handed on as it comes, and so is held nowhere.
MOST_DATA_BYTES = 1024 * 1024
# Of all else, which is held until it is whole; of a header block also in several frames.
_MOST_HELD_BYTES = 32 * 1024
_MOST_CONTINUATIONS = 16
_PRIORITY_BYTES = 5
# How long one connection is read in a turn of the loop.
_TURN_S = 0.005


class FrameSink(Protocol):
    """Takes frames; whatever it raises ends the reading."""

    def on_preface(self) -> None:
        """Note that the client speaks HTTP/2; frames follow."""

    def on_data(self, stream: int, payload: bytes, size: int, is_last: bool) -> None:
        """Take some data of a stream.

        Args:
            stream: the stream.
            payload: the data, perhaps a part of a frame's.
            size: what counts for flow control, padding included.
            is_last: whether the stream ends with it.
        """

    def on_headers(self, stream: int, block: bytes, is_last: bool) -> None:
        """Take a whole header block; ``is_last`` says whether the stream ends with it."""

    def on_control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """Take a frame of another kind."""


class NoPrefaceError(Exception):
    """The first bytes of a connection are not the preface of HTTP/2."""


class FrameReader:
    """Reads the frames of one connection.

    Attributes:
        count: how many came whole, or have begun to be handed on.
    """

    def __init__(self, sink: FrameSink) -> None:
        """A reader that has received nothing.

        Args:
            sink: takes the frames.
        """
        self.count = 0
        self._sink = sink
        # Bytes of an incomplete frame, or those after a frame that took a whole turn.
        self._held = b""
        self._has_begun = False
        # Of the frame of data that is coming: what is missing, of data and of padding.
        self._missing = self._padding = 0
        self._data_stream = 0
        self._data_ends = False
        # Of the header block that is coming; stream 0 has none.
        self._block_stream = 0
        self._block_ends = False
        self._block = b""
        self._continuations = 0

    @property
    def is_waiting(self) -> bool:
        """Whether a part is held of what is to come whole: of the preface, a frame, a block."""
        return bool(self._held or self._block_stream or not self._has_begun)

    def feed(self, data: bytes) -> bool:
        """Read received bytes; return whether all were read, and none left to another turn.

        Raises:
            NoPrefaceError: it is not HTTP/2.
            Http2Error: it breaks the protocol.
        """
        if self._held:
            data = self._held + data
            self._held = b""
        at = 0
        if not self._has_begun:
            if not data.startswith(PREFACE[: len(data)]):
                raise NoPrefaceError
            if len(data) < len(PREFACE):
                self._held = data
                return True
            self._has_begun = True
            self._sink.on_preface()
            at = len(PREFACE)
        end = monotonic() + _TURN_S
        while at < len(data):
            if self._missing or self._padding:
                at = self._go_on(data, at)
                continue
            following = self._read_frame(data, at)
            if following == at:
                self._held = data[at:]
                return True
            at = following
            self.count += 1
            if monotonic() > end and at < len(data):
                self._held = data[at:]
                return False
        return True

    def _read_frame(self, data: bytes, at: int) -> int:
        """Read the frame that begins at a place, if it is whole; return where it ends."""
        left = len(data) - at - HEAD_BYTES
        if left < 0:
            return at
        upper, lower, kind, flags, stream = unpack_head(data, at)
        length: int = upper << 8 | lower
        stream &= LAST_STREAM
        begin = at + HEAD_BYTES
        if self._block_stream and (kind != CONTINUATION or stream != self._block_stream):
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "A header block was not continued.")
        if length > MOST_DATA_BYTES:
            raise Http2Error(
                ErrorCode.FRAME_SIZE_ERROR,
                f"Expected frames of at most {MOST_DATA_BYTES} bytes, not {length}.",
            )
        if kind == DATA:
            if not stream:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "Data came for no stream.")
            if left >= length and not flags & PADDED:
                end = begin + length
                self._sink.on_data(stream, data[begin:end], length, bool(flags & END_STREAM))
                return end
            return self._begin_data(data, begin, flags, length, stream) or at
        if length > _MOST_HELD_BYTES:
            raise Http2Error(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"Expected at most {_MOST_HELD_BYTES} bytes in a frame of this kind, not {length}.",
            )
        if left < length:
            return at
        end = begin + length
        payload = data[begin:end]
        if kind == HEADERS:
            self._begin_block(stream, flags, payload)
        elif kind == CONTINUATION:
            self._continue_block(flags, payload)
        else:
            self._sink.on_control(kind, flags, stream, payload)
        return end

    def _begin_data(self, data: bytes, at: int, flags: int, length: int, stream: int) -> int:
        """Begin a frame that is padded, or not whole; return where its data begins.

        It is 0 where the length of the padding has not come.
        """
        padding = 0
        if flags & PADDED:
            if length and at == len(data):
                return 0
            padding = data[at] if length else 0
            if padding >= length:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "A frame has more padding than room.")
            at += 1
            length -= 1
            # The octet counts for flow control, as the padding does.
            self._sink.on_data(stream, b"", 1 + padding, False)
        self._missing, self._padding = length - padding, padding
        self._data_stream, self._data_ends = stream, bool(flags & END_STREAM)
        if not self._missing:
            self._sink.on_data(stream, b"", 0, self._data_ends)
        return at

    def _go_on(self, data: bytes, at: int) -> int:
        """Hand on what has come of a frame of data; return where that ends."""
        left = len(data) - at
        if not self._missing:
            size = min(left, self._padding)
            self._padding -= size
            return at + size
        size = min(left, self._missing)
        self._missing -= size
        is_last = self._data_ends and not self._missing
        self._sink.on_data(self._data_stream, data[at : at + size], size, is_last)
        return at + size

    def _begin_block(self, stream: int, flags: int, payload: bytes) -> None:
        if not stream:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "Headers came for no stream.")
        if flags & (PADDED | PRIORITIZED):
            begin, end = 0, len(payload)
            if flags & PADDED:
                begin = 1
                end -= payload[0] if payload else 1
            if flags & PRIORITIZED:
                begin += _PRIORITY_BYTES
            if begin > end:
                raise Http2Error(ErrorCode.PROTOCOL_ERROR, "A frame has more padding than room.")
            payload = payload[begin:end]
        if flags & END_HEADERS:
            self._sink.on_headers(stream, payload, bool(flags & END_STREAM))
            return
        self._block_stream, self._block_ends = stream, bool(flags & END_STREAM)
        self._block, self._continuations = payload, 0

    def _continue_block(self, flags: int, payload: bytes) -> None:
        stream = self._block_stream
        if not stream:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "There is no header block to continue.")
        self._continuations += 1
        block = self._block + payload
        if len(block) > _MOST_HELD_BYTES or self._continuations > _MOST_CONTINUATIONS:
            raise Http2Error(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"Expected a header block of at most {_MOST_HELD_BYTES} bytes and "
                f"{_MOST_CONTINUATIONS} continuations.",
            )
        if not flags & END_HEADERS:
            self._block = block
            return
        self._block_stream, self._block = 0, b""
        self._sink.on_headers(stream, block, self._block_ends)
