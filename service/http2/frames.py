"""Frames as bytes (RFC 9113, sections 4 and 6)."""

import struct
from collections.abc import Mapping

from service.http2.errors import ErrorCode

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9

DATA = 0
HEADERS = 1
PRIORITY = 2
RST_STREAM = 3
SETTINGS = 4
PUSH_PROMISE = 5
PING = 6
GOAWAY = 7
WINDOW_UPDATE = 8
CONTINUATION = 9

# Flags; the first has two meanings, by the kind of frame.
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITIZED = 0x20

# Settings.
ENABLE_PUSH = 2
MAX_CONCURRENT_STREAMS = 3
INITIAL_WINDOW_SIZE = 4
MAX_FRAME_SIZE = 5
MAX_HEADER_LIST_SIZE = 6

# What holds until a side says otherwise.
DEFAULT_WINDOW = 65_535
DEFAULT_FRAME_BYTES = 16_384
MOST_FRAME_BYTES = 2**24 - 1
MOST_WINDOW = 2**31 - 1
# The highest stream; the bit above it is reserved.
LAST_STREAM = 2**31 - 1

_HEAD = struct.Struct(">HBBBL")
_SETTING = struct.Struct(">HL")
_NUMBER = struct.Struct(">L")
_TWO_NUMBERS = struct.Struct(">LL")

# Returns a head at a place in bytes: the upper 16 and the lower 8 bits of the payload's length, the
# kind, the flags, and the stream.
unpack_head = _HEAD.unpack_from
unpack_number = _NUMBER.unpack


def frame_head(length: int, kind: int, flags: int, stream: int) -> bytes:
    """Return the head of a frame whose payload has ``length`` bytes."""
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame."""
    length = len(payload)
    return _HEAD.pack(length >> 8, length & 0xFF, kind, flags, stream) + payload


def settings_frame(settings: Mapping[int, int]) -> bytes:
    """Return a frame with settings by their numbers."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*pair) for pair in settings.items()))


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """Return the settings of a frame's payload, whose length is a multiple of six."""
    return list(_SETTING.iter_unpack(payload))


def reset_frame(stream: int, code: ErrorCode) -> bytes:
    """Return a frame that ends a stream."""
    return frame(RST_STREAM, 0, stream, _NUMBER.pack(code))


def window_frame(stream: int, increment: int) -> bytes:
    """Return a frame that allows so many more bytes; of the whole connection, for stream 0."""
    return frame(WINDOW_UPDATE, 0, stream, _NUMBER.pack(increment))


def goaway_frame(last_stream: int, code: ErrorCode, message: str = "") -> bytes:
    """Return a frame that says that no stream after ``last_stream`` is answered."""
    return frame(GOAWAY, 0, 0, _TWO_NUMBERS.pack(last_stream, code) + message.encode())
