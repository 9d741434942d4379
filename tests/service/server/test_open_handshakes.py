"""Clients that begin no TLS handshake, or never end one: they leave room for the others."""

import asyncio
import contextlib
import select
import socket
import ssl
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from service.server.connection_acceptor import Acceptor
from service.server.connection_balancing import ConnectionCount, ConnectionCounts
from service.server.open_handshakes import OpenHandshakes

NewLoop = Callable[[], asyncio.AbstractEventLoop]
on_both_loops = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])

# More than the worker may hold.
_CLIENTS = 20
_MOST = 5


@contextlib.asynccontextmanager
async def silent_clients(
    most: int, timeout_s: float, *, at_once: bool = False
) -> AsyncIterator[tuple[ConnectionCount, list[socket.socket]]]:
    """Give clients that connect to two ports in turn and send nothing, in their order."""
    count = ConnectionCounts(1).take()
    handshakes = OpenHandshakes(most, count, timeout_s)
    # Nobody gets so far as to be shown a certificate.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in "ab"]
        loop = asyncio.get_running_loop()
        acceptors = [
            Acceptor(loop, each, count, asyncio.Protocol, context, handshakes) for each in listeners
        ]
        clients = []
        for number in range(_CLIENTS):
            address = listeners[number % 2].getsockname()
            clients.append(stack.enter_context(socket.create_connection(address, timeout=60)))
            if not at_once:
                await asyncio.sleep(0)
        yield count, clients
        for client in clients:
            client.close()
        while any(each.is_connecting for each in acceptors):
            await asyncio.sleep(0.01)
        for acceptor in acceptors:
            acceptor.stop()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def ended(clients: list[socket.socket]) -> list[socket.socket]:
    return select.select(clients, [], [], 0)[0]


@on_both_loops
@pytest.mark.parametrize("at_once", [False, True])
def test_the_oldest_handshakes_end_when_there_are_too_many(
    new_loop: NewLoop, at_once: bool
) -> None:
    async def test() -> None:
        async with silent_clients(_MOST, 3600, at_once=at_once) as (count, clients):
            await until(lambda: len(ended(clients)) == _CLIENTS - _MOST)
            await until(lambda: count.connections == _MOST)
            for of_a_port in clients[::2], clients[1::2]:
                oldest = ended(of_a_port)
                assert oldest == of_a_port[: len(oldest)]
        assert count.connections == 0

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(test())


@on_both_loops
def test_a_handshake_that_takes_too_long_is_ended(new_loop: NewLoop) -> None:
    async def test() -> None:
        async with silent_clients(10 * _CLIENTS, 0.1) as (count, clients):
            await until(lambda: ended(clients) == clients)
            await until(lambda: count.connections == 0)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(test())
