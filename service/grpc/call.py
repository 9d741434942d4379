"""One call, as those who answer it see it."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any, Protocol

from service.api.http.body_budget import BodyBudget
from service.api.http.request_body import unpacked
from service.errors import ServiceError, UnavailableError
from service.grpc.answer_blocks import ANSWER_HEAD, Answer, alone, error_trailers, ok_trailers
from service.grpc.call_head import CallHead, CallMethod
from service.grpc.message_reader import framed
from service.http2.errors import ErrorCode
from service.http2.stream import Stream

# The pipeline refuses a time that is over as malformed.
_LEAST_MS = 0.001


class CallHost(Protocol):
    """What calls need of the server.

    Attributes:
        loop: the event loop.
        budget: bounds the bytes of requests under way.
        parsers: threads for what takes long.
        read_timeout_s: seconds that a client may take to send a message.
        stream_window: how many bytes a client may send of one call before they are used.
    """

    loop: asyncio.AbstractEventLoop
    budget: BodyBudget
    parsers: Executor
    read_timeout_s: float
    stream_window: int

    def check_sender(self, call: "Call") -> None:
        """Check that a client may send large messages of the method that it calls.

        Raises:
            ServiceError: it may not.
        """

    def refusal(self, call: "Call", error: Exception) -> Answer:
        """Count and log a call that fails before anything has begun to answer it."""

    def note_end(self) -> None:
        """Note that a call has ended, however it did."""


class Abandonable(Protocol):
    """What is under way for a call."""

    def abandon(self) -> None:
        """Give it up."""


class Call:
    """One call.

    Attributes:
        client: the client's address.
        head: what its header says.
        is_over: whether it was answered, or given up.
    """

    __slots__ = (
        "_since",
        "_under_way",
        "client",
        "head",
        "host",
        "is_over",
        "share",
        "stream",
    )

    def __init__(self, host: CallHost, stream: Stream, head: CallHead) -> None:
        """A call whose header was received.

        Args:
            host: the server.
            stream: what it comes on.
            head: its header.
        """
        self.host = host
        self.stream = stream
        self.head = head
        self.client = stream.connection.client
        self.share = host.budget.open()
        self._under_way: Abandonable | None = None
        self.is_over = False
        # Since when the client is to send what is missing.
        self._since = host.loop.time()

    @property
    def environ(self) -> Mapping[str, Any]:
        """The call's line and metadata as WSGI names them, with the time that is left."""
        head = self.head
        if head.timeout_s is None:
            return head.environ
        left_ms = (head.timeout_s - (self.host.loop.time() - self._since)) * 1000
        return {**head.environ, "HTTP_X_REQUEST_TIMEOUT_MS": repr(max(left_ms, _LEAST_MS))}

    def respond(self, answer: Answer) -> None:
        """Answer the call with one message, or with an error; an answer that comes late is lost."""
        if self.is_over:
            return
        self.finish()
        if not answer.is_ok:
            self.stream.refuse(alone(error_trailers(answer)))
            return
        body = framed(answer.response.body)
        self.stream.answer(ANSWER_HEAD, body, ok_trailers(answer.headers))
        if not self.stream.is_closed:
            self._hold(len(body))

    def finish(self) -> None:
        """Note that the call is about to be answered; the request is held no longer."""
        self.is_over = True
        # It refers to this call, and the two would keep one another.
        self._under_way = None
        self.share.release()

    def follow(self, under_way: Abandonable) -> None:
        """Give up what is under way when the client gives up."""
        if not self.is_over:
            self._under_way = under_way

    def fail(self, error: Exception) -> None:
        """Answer the call with an error that came before anything had begun to answer it."""
        if not self.is_over:
            self.respond(self.host.refusal(self, error))

    def close(self) -> None:
        """Note that the stream has ended; if the call was not answered, the client gave up."""
        under_way = self._under_way
        self.finish()
        self.host.note_end()
        if under_way is not None:
            under_way.abandon()

    def method(self) -> CallMethod:
        """Return what is called.

        Raises:
            ServiceError: the call is refused by its header alone.
        """
        if self.head.method is None:
            raise self.head.error()
        return self.head.method

    def check_sender(self) -> None:
        """Check that the client may send what is asked of this method.

        Raises:
            ServiceError: the call is refused by its header alone.
        """
        method = self.method()
        if method.predicts or method.administers:
            self.host.check_sender(self)

    def unpack(self, data: bytes, most: int) -> bytes:
        """Return a message that came packed; to be called on a thread.

        Raises:
            ServiceError: 413, it is larger than ``most``; 400, it cannot be unpacked.
        """
        if not self.head.encoding:
            raise ServiceError(
                "A message is packed, but grpc-encoding does not say how.", status=400
            )
        return unpacked(data, self.head.encoding, most)

    def _hold(self, size: int) -> None:
        """Count an answer that waits for its client among the bytes that are held.

        So clients that ask for much, and take nothing of it, cannot fill the memory.
        """
        try:
            self.share.add(size)
        except UnavailableError:
            self.stream.reset(ErrorCode.ENHANCE_YOUR_CALM)
