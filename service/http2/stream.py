"""One request and its answer, as a connection keeps them."""

import asyncio
from typing import Protocol

from service.http2.errors import ErrorCode


class Receiver(Protocol):
    """Takes what comes of a request."""

    def receive(self, data: bytes, is_last: bool) -> None:
        """Take a part of the body, which may be empty; ``is_last`` says that none follows."""

    def close(self) -> None:
        """Note that the stream has ended: all was sent, or nothing can be sent any more."""

    def check_time(self, now: float) -> None:
        """End the stream if its client is too slow; called every second with the loop's time."""


class StreamConnection(Protocol):
    """The connection of a stream.

    Attributes:
        client: the client's address.
    """

    client: str

    def reset(self, stream: "Stream", code: ErrorCode) -> None:
        """End a stream without an answer."""

    def grant(self, stream: "Stream", count: int) -> None:
        """Let the client send so many more bytes of a stream."""


class Sender(Protocol):
    """Sends what streams are answered with.

    Attributes:
        stream_window: how many bytes may be sent of a stream that begins.
    """

    stream_window: int

    def answer(self, stream: "Stream", head: bytes, body: bytes, trailers: bytes) -> None:
        """Send a whole answer."""

    def refuse(self, stream: "Stream", head: bytes) -> None:
        """Send an answer that is a header only."""

    def begin(self, stream: "Stream", head: bytes) -> None:
        """Send the header of an answer."""

    def send(self, stream: "Stream", data: bytes) -> None:
        """Send some data."""

    def end(self, stream: "Stream", trailers: bytes) -> None:
        """Send the trailers."""


class Stream:
    """A stream that is open, at least on this side; what is sent of one that is not is dropped.

    Attributes:
        id: its number.
        receiver: takes what comes, while the stream is open.
        connection: whose stream it is.
        is_whole: whether the client has sent all that it will.
        window: how many more bytes the client may send.
        send_window: how many more bytes may be sent.
        unsent: data that waits for the client to allow it.
        trailers: the block that follows it; ``None`` while more data may.
        stalled_since: since when none could be sent, on the loop's clock.
        is_closed: whether nothing can be sent any more.
    """

    __slots__ = (
        "_room",
        "_sender",
        "connection",
        "id",
        "is_closed",
        "is_whole",
        "receiver",
        "send_window",
        "stalled_since",
        "trailers",
        "unsent",
        "window",
    )

    def __init__(
        self, connection: StreamConnection, sender: Sender, number: int, window: int
    ) -> None:
        """A stream that a client has begun.

        Args:
            connection: whose stream it is.
            sender: sends what is written.
            number: its number.
            window: how many bytes the client may send.
        """
        self.id = number
        self.receiver: Receiver | None = None
        self.connection = connection
        self.window = window
        self.send_window = sender.stream_window
        self.is_whole = self.is_closed = False
        self.unsent = memoryview(b"")
        self.trailers: bytes | None = None
        self.stalled_since: float | None = None
        self._sender = sender
        self._room: asyncio.Future[None] | None = None

    def answer(self, head: bytes, body: bytes, trailers: bytes) -> None:
        """Send a whole answer.

        Args:
            head: the block of its header.
            body: its data.
            trailers: the block of its trailers.
        """
        if not self.is_closed:
            self._sender.answer(self, head, body, trailers)

    def refuse(self, head: bytes) -> None:
        """Send an answer that is a header only, as a block."""
        if not self.is_closed:
            self._sender.refuse(self, head)

    def begin(self, head: bytes) -> None:
        """Send the header of an answer, as a block."""
        if not self.is_closed:
            self._sender.begin(self, head)

    async def send(self, data: bytes) -> None:
        """Send some data, once the client has taken what was sent before."""
        if not self.is_closed:
            self._sender.send(self, data)
        if self.unsent and not self.is_closed:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def end(self, trailers: bytes) -> None:
        """Send the block of an answer's trailers, after its data."""
        if not self.is_closed:
            self._sender.end(self, trailers)

    def reset(self, code: ErrorCode) -> None:
        """End the stream without an answer."""
        self.connection.reset(self, code)

    def grant(self, count: int) -> None:
        """Let the client send so many more bytes, since as many were used."""
        self.connection.grant(self, count)

    def note_room(self) -> None:
        """Let ``send`` go on: the client has taken all."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
