"""A call with one message, which is answered with one."""

from concurrent.futures import Future
from functools import partial

from service.api.http.body_budget import UNCOUNTED_BYTES
from service.api.http.slow_clients import is_too_slow
from service.errors import ServiceError
from service.grpc.call import Call, CallHost
from service.grpc.call_head import CallHead
from service.grpc.message_reader import PREFIX_BYTES, MessageReader
from service.http2.stream import Stream


class UnaryCall(Call):
    """Takes the message, and begins to answer once nothing more can follow."""

    __slots__ = ("_came_at", "_has_begun", "_message", "_reader")

    def __init__(self, host: CallHost, stream: Stream, head: CallHead) -> None:
        """A call whose header was received."""
        super().__init__(host, stream, head)
        self._reader: MessageReader | None = None
        self._message: tuple[bool, bytes] | None = None
        self._has_begun = False
        self._came_at = self._since

    def receive(self, data: bytes, is_last: bool) -> None:
        """Take a part of the body."""
        if self.is_over:
            return
        if (
            is_last
            and self._reader is None
            and PREFIX_BYTES <= len(data) <= UNCOUNTED_BYTES
            and not data[0]
            and int.from_bytes(data[1:PREFIX_BYTES], "big") == len(data) - PREFIX_BYTES
        ):
            # Nearly all: the whole message at once, and not packed.
            self._begin(data[PREFIX_BYTES:])
            return
        try:
            self._receive_part(data, is_last)
        except ServiceError as error:
            self.fail(error)

    def check_time(self, now: float) -> None:
        """Refuse the call if its message does not come."""
        if self._has_begun or self.is_over:
            return
        if is_too_slow(
            now,
            since=self._since,
            came_at=self._came_at,
            size=0 if self._reader is None else self._reader.size,
            seconds=self.host.read_timeout_s,
        ):
            self.fail(ServiceError("The request did not come in time.", status=408))

    def _receive_part(self, data: bytes, is_last: bool) -> None:
        reader = self._reader
        if reader is None:
            # Nothing large is taken of strangers. What is small shows its model in no time.
            self.check_sender()
            reader = self._reader = MessageReader(self.method().most_bytes)
        self.share.add(len(data))
        reader.add(data)
        self._came_at = self.host.loop.time()
        if self._message is None:
            self._message = reader.read()
        if reader.size and (self._message is not None or is_last):
            raise ServiceError("Expected one message, not more, and that whole.", status=501)
        if not is_last:
            return
        if self._message is None:
            raise ServiceError("Expected a message, not none.", status=501)
        is_packed, message = self._message
        self._message = None
        if is_packed:
            self._has_begun = True
            work = partial(self.unpack, message, self.method().most_bytes)
            self.host.parsers.submit(work).add_done_callback(self._on_unpacked)
        else:
            self._begin(message)

    def _on_unpacked(self, future: "Future[bytes]") -> None:
        self.host.loop.call_soon_threadsafe(self._begin_unpacked, future)

    def _begin_unpacked(self, future: "Future[bytes]") -> None:
        if self.is_over:
            return
        try:
            message = future.result()
            self.share.add(len(message))
        except Exception as error:
            self.fail(error)
            return
        self._begin(message)

    def _begin(self, message: bytes) -> None:
        self._has_begun = True
        try:
            unary = self.method().unary
            assert unary is not None
            unary(message, self)
        except Exception as error:
            self.fail(error)
