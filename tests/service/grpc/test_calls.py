"""Calls over a connection without a network: what is framed, packed, late, too much or no call."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest

from service.api.http.body_budget import BodyBudget
from service.api.http.responses import Response, as_service_error
from service.errors import ServiceError, UnauthenticatedError
from service.grpc.answer_blocks import Answer, http_refusal
from service.grpc.call import Call
from service.grpc.call_head import CallHead, CallMethod, read_call_head
from service.grpc.message_reader import framed
from service.grpc.status import GrpcCode, error_status
from service.grpc.stream_call import StreamCall
from service.grpc.unary_call import UnaryCall
from service.http2.errors import ErrorCode
from service.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    RST_STREAM,
    WINDOW_UPDATE,
    frame,
    reset_frame,
    settings_frame,
    window_frame,
)
from service.http2.header_decoder import HeaderDecoder
from service.http2.header_encoder import header_block
from service.http2.stream import Receiver, Stream
from tests.service.http2.conversation import READ_TIMEOUT_S, Conversation, Sent

MOST = 200_000
WINDOW = 300_000
BUDGET = 1_000_000
GZIP = {b"grpc-encoding": b"gzip"}


def echo(data: bytes, call: Call) -> None:
    call.respond(Answer(Response(data), {"X-Request-Id": "7"}))


def fail(data: bytes, call: Call) -> None:
    raise ServiceError("Ünknown:\n100 %", status=404, headers={"Retry-After": "1"})


def break_down(data: bytes, call: Call) -> None:
    raise ZeroDivisionError


async def echo_all(requests: AsyncIterator[bytes], call: Call) -> AsyncGenerator[bytes]:
    async for data in requests:
        yield data


async def count(data: bytes, call: Call) -> AsyncGenerator[bytes]:
    for number in range(int(data)):
        yield str(number).encode()
    if int(data) == 3:
        raise ServiceError("Three is enough.", status=400)
    await asyncio.Event().wait()


@dataclass
class Host:
    """A server with a few methods."""

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    register: Any = field(default_factory=set)
    budget: BodyBudget = field(default_factory=lambda: BodyBudget(BUDGET))
    parsers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    read_timeout_s: float = READ_TIMEOUT_S
    stream_window: int = WINDOW
    good_key: str = "good"
    ended: int = 0
    calls: list[Call] = field(default_factory=list)

    def read_head(self, fields: Any) -> CallHead:
        methods = {
            "/echo": CallMethod(MOST, unary=echo),
            "/large": CallMethod(MOST, unary=lambda data, call: echo(bytes(180_000), call)),
            "/hold": CallMethod(MOST, unary=lambda data, call: None),
            "/fail": CallMethod(MOST, unary=fail),
            "/break": CallMethod(MOST, unary=break_down),
            "/guarded": CallMethod(MOST, predicts=True, unary=echo),
            "/guarded-stream": CallMethod(MOST, predicts=True, streaming=echo_all),
            "/admin": CallMethod(MOST, administers=True, unary=echo),
            "/small-stream": CallMethod(1000, streaming=echo_all),
            "/stream": CallMethod(MOST, streaming=echo_all),
            "/count": CallMethod(MOST, server_streaming=count),
        }
        return read_call_head(fields, methods)

    def open(self, stream: Stream, head: CallHead) -> Receiver:
        if head.method is not None and head.method.unary is None:
            found: Any = StreamCall(self, stream, head)
        else:
            found = UnaryCall(self, stream, head)
        self.calls.append(found)
        if head.http_status:
            stream.refuse(http_refusal(head.http_status))
        elif head.method is None:
            found.fail(head.error())
        receiver: Receiver = found
        return receiver

    def check_sender(self, call: Call) -> None:
        if call.environ.get("HTTP_X_API_KEY") != self.good_key:
            raise UnauthenticatedError("Who?")

    def refusal(self, call: Call, error: Exception) -> Answer:
        failure = as_service_error(error, "POST", call.head.path)
        return Answer(error_status(failure), {"X-Request-Id": "7"})

    def note_end(self) -> None:
        self.ended += 1


class Talk(Conversation):
    """A client of gRPC."""

    def __init__(self) -> None:
        self.numbers = iter(range(1, 10_000, 2))
        super().__init__(host=Host())

    def begin(self, path: str, *, is_last: bool = False, **fields: Any) -> int:
        """Begin a call; return its stream."""
        stream = next(self.numbers)
        found: dict[bytes, bytes] = {
            b":method": b"POST",
            b":scheme": b"http",
            b":path": path.encode(),
            b"te": b"trailers",
            b"content-type": b"application/grpc",
            **fields.get("further", {}),
        }
        block = b"".join(header_block(*pair) for pair in found.items())
        end = END_STREAM if is_last else 0
        self.connection.data_received(frame(HEADERS, END_HEADERS | end, stream, block))
        return stream

    def data(self, stream: int, data: bytes = b"", *, is_last: bool = False) -> None:
        self.connection.data_received(frame(DATA, END_STREAM if is_last else 0, stream, data))

    def ask(self, path: str, data: bytes, further: dict[bytes, bytes] | None = None) -> int:
        """Call with some bytes; return the stream."""
        stream = self.begin(path, further=further or {})
        self.data(stream, data, is_last=True)
        return stream

    async def answer(self) -> tuple[bytes, dict[str, str]]:
        """Return the data of the call that is answered next, and its trailers."""
        body = b""
        while True:
            for each in self.received():
                if each.kind == DATA:
                    body += each.payload
                elif each.kind == HEADERS and each.flags & END_STREAM:
                    return body, fields_of(each)
            await asyncio.sleep(0.001)

    async def code(self) -> GrpcCode:
        return GrpcCode(int((await self.answer())[1]["grpc-status"]))

    @property
    def held(self) -> int:
        """The bytes that are counted."""
        found: int = self.host.budget.held
        return found


def fields_of(sent: Sent) -> dict[str, str]:
    decoder: HeaderDecoder[Any] = HeaderDecoder(lambda fields: fields)
    return {name.decode(): value.decode() for name, value in decoder.head(sent.payload)}


def test_metadata_counts_as_the_headers_of_http() -> None:
    """Keys of metadata that come twice are a list, as there: the first is not hidden."""
    sent = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/a.B/C"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"traceparent", b"00-1-2-01"),
        (b"tracestate", b"a=1"),
        (b"x-forwarded-for", b"198.51.100.1"),
        (b"x-api-key", b"one"),
        (b"x-routing-key", b"user 7"),
        (b"unknown", b"x"),
        (b"tracestate", b"b=2"),
        (b"x-forwarded-for", b"10.0.0.7"),
        (b"x-api-key", b"two"),
    ]
    environ = read_call_head(sent, {}).environ
    assert {name: value for name, value in environ.items() if name.startswith("HTTP_")} == {
        "HTTP_TRACEPARENT": "00-1-2-01",
        "HTTP_TRACESTATE": "a=1,b=2",
        "HTTP_X_FORWARDED_FOR": "198.51.100.1,10.0.0.7",
        "HTTP_X_API_KEY": "one,two",
        "HTTP_X_ROUTING_KEY": "user 7",
    }


Scene = Callable[[Talk], Coroutine[Any, Any, None]]


def plays(scene: Scene) -> Callable[[], None]:
    """Return a test that runs a scene on a loop, and looks at what is left."""

    def run() -> None:
        async def play() -> None:
            talk = Talk()
            await asyncio.wait_for(scene(talk), 20)
            talk.connection.connection_lost(None)
            await asyncio.sleep(0)
            assert talk.held == 0
            assert talk.host.ended == len(talk.host.calls)

        asyncio.run(play())

    run.__doc__ = scene.__doc__
    return run


@plays
async def test_a_message_in_parts(talk: Talk) -> None:
    stream = talk.begin("/echo")
    for byte in framed(b"hello"):
        talk.data(stream, bytes([byte]))
    talk.data(stream, is_last=True)
    body, trailers = await talk.answer()
    assert body == framed(b"hello")
    assert trailers == {"grpc-status": "0", "x-request-id": "7"}


@plays
async def test_a_large_message_is_counted_as_it_comes(talk: Talk) -> None:
    stream = talk.begin("/hold")
    talk.data(stream, framed(bytes(MOST))[:150_000])
    assert talk.held == 150_000
    talk.data(stream, framed(bytes(MOST))[150_000:], is_last=True)
    assert talk.held == MOST + 5
    talk.send(reset_frame(stream, ErrorCode.CANCEL))
    assert talk.held == 0


@plays
async def test_more_than_memory_holds_is_refused_and_dropped(talk: Talk) -> None:
    part = framed(bytes(MOST))[:150_000]
    for _ in range(6):
        talk.data(talk.begin("/hold"), part)
    stream = talk.begin("/hold")
    talk.data(stream, part)
    _, trailers = await talk.answer()
    assert GrpcCode(int(trailers["grpc-status"])) is GrpcCode.UNAVAILABLE
    assert "large bodies under way" in unquote(trailers["grpc-message"])
    talk.data(stream, bytes(50_000))
    assert talk.held == 6 * 150_000
    # Small ones find room.
    talk.ask("/echo", framed(b"hello"))
    assert await talk.code() is GrpcCode.OK


@pytest.mark.parametrize(
    ("path", "data", "further", "code", "words"),
    [
        ("/nope", framed(b""), {}, GrpcCode.UNIMPLEMENTED, "no method '/nope'"),
        ("/echo", b"", {}, GrpcCode.UNIMPLEMENTED, "not none"),
        ("/echo", b"\0\0", {}, GrpcCode.UNIMPLEMENTED, "that whole"),
        ("/echo", framed(b"a") * 2, {}, GrpcCode.UNIMPLEMENTED, "one message, not more"),
        ("/echo", b"\2\0\0\0\0", {}, GrpcCode.INVALID_ARGUMENT, "0 or 1, not 2"),
        ("/echo", b"\0\xff\xff\xff\xff", {}, GrpcCode.RESOURCE_EXHAUSTED, "max (4294967295 vs. 200000)"),
        ("/echo", framed(b"a"), {b"grpc-timeout": b"1x"}, GrpcCode.INVALID_ARGUMENT, "not '1x'"),
        ("/echo", framed(b"a"), {b"grpc-encoding": b"br"}, GrpcCode.UNIMPLEMENTED, "not 'br'"),
        ("/echo", b"\1" + framed(b"a")[1:], {}, GrpcCode.INVALID_ARGUMENT, "does not say how"),
        ("/echo", b"\1" + framed(b"a")[1:], GZIP, GrpcCode.INVALID_ARGUMENT, "gzip"),
        ("/echo", b"\1" + framed(gzip.compress(bytes(MOST + 1)))[1:], GZIP, GrpcCode.RESOURCE_EXHAUSTED, "larger than 200000"),
        ("/echo", framed(b"a"), {b"a": b"b" * 16_384}, GrpcCode.RESOURCE_EXHAUSTED, "larger than 16384"),
        ("/fail", framed(b"a"), {}, GrpcCode.NOT_FOUND, "Ünknown:\n100 %"),
        ("/break", framed(b"a"), {}, GrpcCode.INTERNAL, "The service failed"),
        ("/stream", b"\0\0", {}, GrpcCode.INVALID_ARGUMENT, "not whole"),
        ("/stream", b"\0\xff\xff\xff\xff", {}, GrpcCode.RESOURCE_EXHAUSTED, "larger than max"),
        ("/count", b"", {}, GrpcCode.UNIMPLEMENTED, "not none"),
        ("/count", framed(b"many"), {}, GrpcCode.INTERNAL, "The service failed"),
        ("/count", framed(b"3"), {}, GrpcCode.INVALID_ARGUMENT, "Three is enough."),
        ("/count", framed(b"1"), {b"grpc-timeout": b"10m"}, GrpcCode.DEADLINE_EXCEEDED, "timed out"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_refused_in_words(
    path: str, data: bytes, further: dict[bytes, bytes], code: GrpcCode, words: str
) -> None:
    @plays
    async def scene(talk: Talk) -> None:
        talk.ask(path, data, further)
        _, trailers = await talk.answer()
        assert GrpcCode(int(trailers["grpc-status"])) is code
        assert words in unquote(trailers["grpc-message"])
        assert trailers["x-request-id"] == "7"

    scene()


@pytest.mark.parametrize(
    ("further", "status"),
    [({b":method": b"GET"}, 405), ({b"content-type": b"application/json"}, 415)],
)
def test_what_is_no_call_gets_a_status_of_http(further: dict[bytes, bytes], status: int) -> None:
    @plays
    async def scene(talk: Talk) -> None:
        talk.ask("/echo", b"", further)
        _, fields = await talk.answer()
        assert fields[":status"] == str(status)

    scene()


@pytest.mark.parametrize(
    "further",
    [
        {b":path": b""},
        {b":nope": b"x"},
        {b"Upper": b"x"},
        {b"connection": b"close"},
        {b"te": b"gzip"},
        {b"a": b"b\nc"},
    ],
)
def test_what_is_no_request_is_reset(further: dict[bytes, bytes]) -> None:
    @plays
    async def scene(talk: Talk) -> None:
        talk.begin("/echo", further=further)
        (sent,) = [each for each in talk.received() if each.kind == RST_STREAM]
        assert sent.number == ErrorCode.PROTOCOL_ERROR

    scene()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("path", ["/echo", "/stream"])
def test_packed_messages(encoding: str, path: str) -> None:
    @plays
    async def scene(talk: Talk) -> None:
        pack = gzip.compress if encoding == "gzip" else zlib.compress
        data = b"\1" + framed(pack(b"hello" * 1000))[1:]
        talk.ask(path, data, {b"grpc-encoding": encoding.encode()})
        body, _ = await talk.answer()
        assert body == framed(b"hello" * 1000)

    scene()


@plays
async def test_the_time_left_is_known(talk: Talk) -> None:
    stream = talk.begin("/hold", further={b"grpc-timeout": b"2S", b"x-api-key": b"k"})
    await asyncio.sleep(0.01)
    talk.data(stream, framed(b""), is_last=True)
    (call,) = talk.host.calls
    assert 0 < float(call.environ["HTTP_X_REQUEST_TIMEOUT_MS"]) < 2000
    assert call.environ["HTTP_X_API_KEY"] == "k"


@plays
async def test_metadata_says_what_the_headers_of_http_say(talk: Talk) -> None:
    """Whose request it is decides which version answers while one is on trial."""
    names = (b"x-routing-key", b"x-request-id", b"traceparent", b"tracestate", b"x-forwarded-for")
    sent = {name: name.upper() for name in names}
    talk.begin("/hold", further=sent)
    (call,) = talk.host.calls
    for name, value in sent.items():
        as_wsgi = f"HTTP_{name.decode().upper().replace('-', '_')}"
        assert call.environ[as_wsgi] == value.decode()


@pytest.mark.parametrize("path", ["/guarded", "/guarded-stream", "/admin"])
def test_nothing_large_is_taken_of_strangers(path: str) -> None:
    message = bytes(100_000)

    @plays
    async def scene(talk: Talk) -> None:
        talk.connection.data_received(window_frame(0, WINDOW))
        talk.connection.data_received(settings_frame({INITIAL_WINDOW_SIZE: WINDOW}))
        stranger = talk.begin(path, further={b"x-api-key": b"bad"})
        talk.data(stranger, framed(message)[:70_000])
        assert await talk.code() is GrpcCode.UNAUTHENTICATED
        assert talk.held == 0
        # What it sends on is thrown away.
        talk.data(stranger, framed(message)[70_000:], is_last=True)
        assert talk.held == 0
        known = talk.begin(path, further={b"x-api-key": b"good"})
        talk.data(known, framed(message)[:70_000])
        await asyncio.sleep(0)
        assert talk.held == 70_000
        talk.data(known, framed(message)[70_000:], is_last=True)
        assert (await talk.answer())[0] == framed(message)

    scene()


def test_a_stream_takes_nothing_large_once_its_key_is_gone() -> None:
    @plays
    async def scene(talk: Talk) -> None:
        talk.connection.data_received(window_frame(0, WINDOW))
        talk.connection.data_received(settings_frame({INITIAL_WINDOW_SIZE: WINDOW}))
        stream = talk.begin("/guarded-stream", further={b"x-api-key": b"good"})
        talk.data(stream, framed(bytes(70_000)))
        while talk.held:
            await asyncio.sleep(0)
        talk.host.good_key = "another"
        # What is small says which model it asks, and is answered on the stream.
        talk.data(stream, framed(b"small"))
        await asyncio.sleep(0)
        talk.data(stream, framed(bytes(100_000))[:70_000])
        assert await talk.code() is GrpcCode.UNAUTHENTICATED
        assert talk.held == 0

    scene()


def test_small_messages_that_wait_take_no_room_together() -> None:
    @plays
    async def scene(talk: Talk) -> None:
        # Its client takes no answer.
        stream = talk.begin("/small-stream")
        for _ in range(200):
            talk.data(stream, framed(bytes(1000)))
            await asyncio.sleep(0)
            assert talk.held == 0
        # Now it does.
        talk.connection.data_received(window_frame(0, WINDOW) + window_frame(stream, WINDOW))
        assert await talk.code() is GrpcCode.RESOURCE_EXHAUSTED

    scene()


@pytest.mark.parametrize("path", ["/echo", "/stream"])
def test_a_message_that_does_not_come_is_not_waited_for(path: str) -> None:
    @plays
    async def scene(talk: Talk) -> None:
        talk.data(talk.begin(path), b"\0\0\0")
        await asyncio.sleep(0)
        now = talk.host.loop.time()
        talk.connection.check_time(now + READ_TIMEOUT_S - 1)
        assert talk.host.ended == 0
        talk.connection.check_time(now + READ_TIMEOUT_S + 1)
        assert await talk.code() is GrpcCode.DEADLINE_EXCEEDED

    scene()


@pytest.mark.parametrize("path", ["/echo", "/stream"])
def test_a_client_may_not_pause_for_as_long_as_its_message_may_take(path: str) -> None:
    @plays
    async def scene(talk: Talk) -> None:
        # It has time for more, if it goes on to send.
        talk.data(talk.begin(path), framed(bytes(180_000))[:160_000])
        await asyncio.sleep(0)
        talk.connection.check_time(talk.host.loop.time() + READ_TIMEOUT_S + 1)
        assert talk.host.ended == 1
        assert await talk.code() is GrpcCode.DEADLINE_EXCEEDED

    scene()


@plays
async def test_a_stream_may_be_silent_between_messages(talk: Talk) -> None:
    stream = talk.begin("/stream")
    talk.data(stream, framed(b"one"))
    while talk.held:
        await asyncio.sleep(0)
    talk.connection.check_time(talk.host.loop.time() + READ_TIMEOUT_S * 2)
    talk.data(stream, framed(b"two"), is_last=True)
    body, trailers = await talk.answer()
    assert body == framed(b"one") + framed(b"two")
    assert trailers == {"grpc-status": "0"}


@plays
async def test_a_stream_reads_no_more_than_it_can_answer(talk: Talk) -> None:
    """The client takes nothing, so what it sends stays where it is counted."""
    stream = talk.begin("/stream")
    for _ in range(2):
        talk.data(stream, framed(bytes(65_500)) + framed(bytes(65_500)))
    # Two messages that were not read, and the answer that waits.
    while talk.held != 3 * 65_505:
        await asyncio.sleep(0)
    assert not [each for each in talk.received() if each.kind == WINDOW_UPDATE and each.stream]
    talk.send(reset_frame(stream, ErrorCode.CANCEL))
    await asyncio.sleep(0)
    assert talk.host.ended == 1


@plays
async def test_a_stream_s_window_is_renewed_as_its_messages_are_used(talk: Talk) -> None:
    talk.send(settings_frame({INITIAL_WINDOW_SIZE: 2**30}) + window_frame(0, 2**30))
    stream = talk.begin("/stream")
    for _ in range(2):
        # Together more than the window.
        talk.data(stream, framed(bytes(50)) * 3_000)
        granted: list[int] = []
        while not granted:
            await asyncio.sleep(0)
            granted = [each.number for each in talk.received() if each.kind == WINDOW_UPDATE]
        assert granted[0] > WINDOW // 2


@plays
async def test_answers_that_nobody_takes_are_counted_and_then_lost(talk: Talk) -> None:
    talk.send(settings_frame({INITIAL_WINDOW_SIZE: 0}))
    for _ in range(6):
        talk.ask("/large", framed(b""))
        talk.ask("/echo", framed(bytes(1000)))
    resets = [each for each in talk.received() if each.kind == RST_STREAM]
    assert [each.number for each in resets] == [ErrorCode.ENHANCE_YOUR_CALM]
    assert talk.held == 5 * 180_005
    assert talk.host.ended == 1


@plays
async def test_more_unread_than_memory_holds_ends_a_stream(talk: Talk) -> None:
    for _ in range(4):
        stream = talk.begin("/count")
        talk.data(stream, b"\0\0\x0f\xff\xff")
        talk.data(stream, bytes(249_000))
    assert talk.held > 750_000
    stream = talk.begin("/stream")
    talk.data(stream, framed(bytes(MOST))[:190_000])
    assert await talk.code() is GrpcCode.UNAVAILABLE
