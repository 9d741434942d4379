"""A connection without a network: a client's bytes go in, and frames come out."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from service.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    frame,
    settings_frame,
    unpack_head,
)
from service.http2.header_encoder import header_block
from service.http2.header_table import Field
from service.http2.http2_connection import Http2Connection
from service.http2.request_host import RequestHost
from service.http2.stream import Stream

READ_TIMEOUT_S = 10.0
WINDOW = 100_000
PING_FRAME = frame(PING, 0, 0, b"12345678")
REQUEST: dict[bytes, bytes] = {
    b":method": b"POST",
    b":scheme": b"http",
    b":path": b"/echo",
    b"te": b"trailers",
}


def block(fields: dict[bytes, bytes] = REQUEST) -> bytes:
    return b"".join(header_block(*pair) for pair in fields.items())


def request(stream: int, body: bytes = b"hello", is_last: bool = True) -> bytes:
    end = END_STREAM if is_last else 0
    return frame(HEADERS, END_HEADERS, stream, block()) + frame(DATA, end, stream, body)


@dataclass
class Sent:
    """A frame that the connection has sent."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def number(self) -> int:
        """The last 32 bits of a short payload: an error's code, or an increment."""
        return int.from_bytes(self.payload[-4:], "big")

    @property
    def code(self) -> int:
        """The error's code in a GOAWAY."""
        return int.from_bytes(self.payload[4:8], "big")


class Transport:
    def __init__(self) -> None:
        self.written = bytearray()
        self.unsent = 0
        self.is_paused = self.has_ended = self.is_aborted = False

    def write(self, data: bytes) -> None:
        assert not self.has_ended
        self.written += data

    def write_eof(self) -> None:
        self.has_ended = True

    def can_write_eof(self) -> bool:
        return True

    def abort(self) -> None:
        self.is_aborted = True

    close = abort

    def is_closing(self) -> bool:
        return self.is_aborted

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.1", 5) if name == "peername" else None


class Loop:
    """A loop whose time and turns are the test's."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.soon: deque[Callable[[], None]] = deque()

    def time(self) -> float:
        return self.now

    def call_soon(self, call: Callable[[], None]) -> None:
        self.soon.append(call)

    def call_later(self, seconds: float, call: Callable[[], None]) -> None: ...


@dataclass
class Received:
    """A request; it is answered with its own body when that is whole, unless it is held."""

    stream: Stream
    fields: list[Field] | None
    host: "Host"
    body: bytes = b""
    is_answered: bool = False
    is_cancelled: bool = False

    def receive(self, data: bytes, is_last: bool) -> None:
        self.body += data
        if is_last and not self.host.holds:
            self.answer()

    def answer(self) -> None:
        self.is_answered = True
        self.stream.answer(b"\x88", self.body, header_block(b"grpc-status", b"0"))

    def close(self) -> None:
        self.is_cancelled = not self.is_answered

    def check_time(self, now: float) -> None: ...


@dataclass
class Host:
    holds: bool = False
    requests: list[Received] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop = field(
        default_factory=lambda: cast(asyncio.AbstractEventLoop, Loop())
    )
    register: Any = field(default_factory=set)
    read_timeout_s: float = READ_TIMEOUT_S
    stream_window: int = WINDOW

    def read_head(self, fields: list[Field] | None) -> Any:
        return fields

    def open(self, stream: Stream, head: Any) -> Received:
        self.requests.append(Received(stream, head, self))
        return self.requests[-1]


class Conversation:
    """A client and the connection that serves it.

    Attributes:
        host: what the connection asks.
        transport: its transport.
        connection: the connection.
    """

    def __init__(
        self, *, holds: bool = False, begins: bool = True, host: RequestHost | None = None
    ) -> None:
        self.host: Any = host or Host(holds=holds)
        self.transport = Transport()
        self.connection = Http2Connection(self.host)
        self.connection.connection_made(cast(asyncio.Transport, self.transport))
        if begins:
            self.send(PREFACE + settings_frame({}))

    @property
    def loop(self) -> Loop:
        return cast(Loop, self.host.loop)

    def send(self, data: bytes) -> list[Sent]:
        """Send bytes, let the loop turn until all are read, and return what came back."""
        self.connection.data_received(data)
        while getattr(self.loop, "soon", None):
            self.loop.soon.popleft()()
        return self.received()

    def received(self) -> list[Sent]:
        """Return what the connection has sent since the last time."""
        data = bytes(self.transport.written)
        self.transport.written.clear()
        return list(_frames(data))

    def after(self, seconds: float) -> list[Sent]:
        """Let time pass, with a look at the connection every second, and return what came."""
        for _ in range(int(seconds)):
            self.loop.now += 1
            self.connection.check_time(self.loop.now)
        return self.received()

    def failure(self, data: bytes) -> int:
        """Send bytes that end the connection; return the code of the error that it tells."""
        sent = self.send(data)
        assert self.transport.has_ended
        assert sent[-1].kind == GOAWAY, sent
        return sent[-1].code


def _frames(data: bytes) -> Iterator[Sent]:
    at = 0
    while at < len(data):
        upper, lower, kind, flags, stream = unpack_head(data, at)
        end = at + 9 + (upper << 8 | lower)
        yield Sent(kind, flags, stream, data[at + 9 : end])
        at = end


def opened(*, holds: bool = True) -> Conversation:
    """Return a conversation in which stream 1 was begun, and its end was not sent."""
    found = Conversation(holds=holds)
    found.send(request(1, b"", is_last=False))
    return found
