"""How long the worker's protocols wait for a body, without a network."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from service.api.http.body_budget import BodyBudget
from service.api.inference.prediction_loop import Route
from service.server import full_http_protocol, prediction_protocol
from service.server.request_heads import PredictionHead

TIMEOUT_S = 10.0
HEAD = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"


class Transport:
    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, parts: Any) -> None:
        self.written += b"".join(parts)

    def get_extra_info(self, name: str) -> None:
        del name

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None: ...
    def resume_reading(self) -> None: ...
    def abort(self) -> None: ...


class Clock:
    """The time, which is the test's."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def call_later(self, *_: Any) -> None: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def connection(clock: Clock, transport: Transport) -> prediction_protocol.PredictionProtocol:
    route: Any = Route
    head = PredictionHead(route, {}, 1_000_000, closes=False)
    host: Any = SimpleNamespace(
        loop=clock,
        budget=BodyBudget(10_000_000),
        connections=set(),
        heads=SimpleNamespace(read=lambda _: head),
        predictions=SimpleNamespace(admit=lambda *_: ""),
        max_body_bytes=10_000_000,
        read_timeout_s=TIMEOUT_S,
        keep_alive_s=75.0,
        date="",
    )
    made = prediction_protocol.PredictionProtocol(host)
    made.connection_made(transport)  # type: ignore[arg-type]
    return made


def test_a_client_that_goes_on_earns_time(
    connection: prediction_protocol.PredictionProtocol, clock: Clock, transport: Transport
) -> None:
    connection.data_received(HEAD)
    for size in (600_000, 300_000):
        clock.now += TIMEOUT_S - 1
        connection.check_time(clock.now)
        connection.data_received(bytes(size))
    clock.now += 1
    connection.check_time(clock.now)
    assert transport.written == b""


def test_a_client_may_not_pause_for_as_long_as_its_body_may_take(
    connection: prediction_protocol.PredictionProtocol, clock: Clock, transport: Transport
) -> None:
    connection.data_received(HEAD + bytes(900_000))
    clock.now += TIMEOUT_S - 1
    connection.check_time(clock.now)
    connection.data_received(b"x")
    clock.now += TIMEOUT_S - 1
    connection.check_time(clock.now)
    assert transport.written == b""
    clock.now += 2
    connection.check_time(clock.now)
    assert b" 408 " in transport.written


def test_a_body_is_waited_for_as_long_as_the_connection_allows() -> None:
    """And not as long as gunicorn lets a worker be silent, after which it reports a lost client."""
    connection = SimpleNamespace(
        cfg=SimpleNamespace(timeout=0.001), _closed=False, _maybe_resume_reading=lambda: None
    )

    async def receive() -> Any:
        request = SimpleNamespace(content_length=3, chunked=False)
        receiver = full_http_protocol.protocol.BodyReceiver(request, connection)
        coming = asyncio.ensure_future(receiver.receive())
        await asyncio.wait({coming}, timeout=0.1)
        receiver.feed(b"abc")
        receiver.set_complete()
        return await coming

    found = asyncio.run(receive())
    assert found == {"type": "http.request", "body": b"abc", "more_body": False}
