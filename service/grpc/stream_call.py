"""A call with several messages, of the client, of the service, or of both."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from functools import partial

from service.api.http.body_budget import UNCOUNTED_BYTES
from service.api.http.slow_clients import is_too_slow
from service.errors import DeadlineError, ServiceError
from service.grpc.answer_blocks import ANSWER_HEAD, Answer, alone, error_trailers, ok_trailers
from service.grpc.call import Call, CallHost
from service.grpc.call_head import CallHead
from service.grpc.message_reader import PREFIX_BYTES, MessageReader, framed
from service.http2.stream import Stream

# How long messages of one call are read in a turn of the loop.
_TURN_S = 0.005


class StreamCall(Call):
    """Hands on messages as they are asked for, and sends others as the client takes them."""

    __slots__ = (
        "_began_at",
        "_has_answered",
        "_has_ended",
        "_most",
        "_reader",
        "_task",
        "_used",
        "_waiter",
        "_waits_since",
    )

    def __init__(self, host: CallHost, stream: Stream, head: CallHead) -> None:
        """A call whose header was received; it is answered from now on.

        Raises:
            ServiceError: the call is refused by its header alone.
        """
        super().__init__(host, stream, head)
        self._most = self.method().most_bytes
        self._reader = MessageReader(self._most)
        self._has_ended = self._has_answered = False
        self._waiter: asyncio.Future[None] | None = None
        # Bytes that were used since the client was last allowed more.
        self._used = 0
        # Since when there is a part of the next message, and since when more is waited for.
        self._began_at = self._waits_since = self._since
        self._task = host.loop.create_task(self._answer())

    def receive(self, data: bytes, is_last: bool) -> None:
        """Take a part of what the client sends."""
        if self.is_over:
            return
        try:
            if self.share.size + len(data) > UNCOUNTED_BYTES:
                self._check_large()
            self.share.add(len(data))
        except ServiceError as error:
            self._task.cancel()
            self.fail(error)
            return
        if not self._reader.size:
            self._began_at = self.host.loop.time()
        self._reader.add(data)
        self._has_ended = is_last
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def respond(self, answer: Answer) -> None:
        """End the call, with an error or without one."""
        if self.is_over:
            return
        self.finish()
        trailers = ok_trailers(answer.headers) if answer.is_ok else error_trailers(answer)
        self._end_stream(trailers)

    def close(self) -> None:
        """Note that the stream has ended; if the call was not, the client gave up."""
        if not self.is_over:
            self._task.cancel()
        super().close()

    def check_time(self, now: float) -> None:
        """End the call if a message has begun, is waited for, and does not come."""
        size = self._reader.size
        if self._waiter is None or not size or self.is_over:
            return
        if is_too_slow(
            now,
            since=self._began_at,
            came_at=self._waits_since,
            size=size,
            seconds=self.host.read_timeout_s,
        ):
            self._task.cancel()
            self.fail(ServiceError("The message did not come in time.", status=408))

    def _check_large(self) -> None:
        """Check that the client may let so much wait that it takes room from others.

        Raises:
            ServiceError: it may not.
        """
        # Its key may have been removed since the stream began.
        self.check_sender()
        if self._most < UNCOUNTED_BYTES:
            words = f"More than {UNCOUNTED_BYTES} bytes of messages wait, which is the limit."
            raise ServiceError(words, status=413)

    async def _answer(self) -> None:
        try:
            async with asyncio.timeout(self.head.timeout_s):
                async with aclosing(self._messages()) as requests:
                    await self._answer_all(requests)
        except TimeoutError:
            self.fail(DeadlineError())
        except Exception as error:
            self.fail(error)
        else:
            if not self.is_over:
                self.finish()
                self._end_stream(ok_trailers({}))

    async def _answer_all(self, requests: AsyncIterator[bytes]) -> None:
        self.check_sender()
        method = self.method()
        if method.streaming is not None:
            responses = method.streaming(requests, self)
        else:
            assert method.server_streaming is not None
            data = await anext(requests, None)
            if data is None:
                raise ServiceError("Expected a message, not none.", status=501)
            responses = method.server_streaming(data, self)
        async with aclosing(responses):
            async for message in responses:
                if not self._has_answered:
                    self._has_answered = True
                    self.stream.begin(ANSWER_HEAD)
                data = framed(message)
                # The client may let it wait.
                self.share.add(len(data))
                await self.stream.send(data)
                self.share.remove(len(data))

    async def _messages(self) -> AsyncGenerator[bytes]:
        """Yield the client's messages.

        Raises:
            ServiceError: one is too large, cannot be unpacked or is not whole.
        """
        loop = self.host.loop
        turn_end = 0.0
        while True:
            found = self._reader.read()
            if found is None:
                if self._has_ended:
                    if self._reader.size:
                        raise ServiceError("The last message is not whole.", status=400)
                    return
                self._waits_since = loop.time()
                self._waiter = loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
                continue
            is_packed, message = found
            now = loop.time()
            if now > turn_end:
                # A client may have sent thousands, and others are to be answered as well.
                await asyncio.sleep(0)
                turn_end = now + _TURN_S
            self._began_at = now
            self._use(PREFIX_BYTES + len(message))
            if is_packed:
                work = partial(self.unpack, message, self._most)
                message = await loop.run_in_executor(self.host.parsers, work)
            yield message

    def _use(self, count: int) -> None:
        """Hold bytes no longer, and let the client send as many again, though not at once."""
        self.share.remove(count)
        self._used += count
        if self._used > self.host.stream_window // 2:
            self.stream.grant(self._used)
            self._used = 0

    def _end_stream(self, trailers: bytes) -> None:
        if self._has_answered:
            self.stream.end(trailers)
        else:
            self.stream.refuse(alone(trailers))
