"""How a worker stops, without a server around it."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest
import uvloop

from service.server import graceful_shutdown
from service.server.connection_acceptor import Acceptor
from service.server.connection_balancing import ConnectionCounts
from service.server.graceful_shutdown import GracefulShutdown, timeout_s
from service.server.open_connections import OpenConnections


class Client:
    """A connection that ends when it is asked to, if it is idle."""

    idle_since: float | None = None

    def __init__(self, connections: OpenConnections) -> None:
        self._connections = connections
        connections.add(self)

    def check_time(self, now: float) -> None: ...

    def end_if_idle(self) -> None:
        if self.idle_since is not None:
            self._connections.remove(self)


class Doors(Acceptor):
    """An acceptor that notes what it is told."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def leave_to_others(self) -> None:
        self.log.append("leave to others")

    def stop(self) -> None:
        self.log.append("stop")

    @property
    def is_connecting(self) -> bool:
        return False


class Host:
    """A worker that is being stopped."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.connection_count = ConnectionCounts(1).take()
        self.connections = OpenConnections(10, self.connection_count)
        self.is_draining = False
        self.notified = 0
        self.on_notify: Callable[[], None] = lambda: None

    def notify(self) -> None:
        self.notified += 1
        self.on_notify()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


def shutdown_of(host: Host, *, drain_s: float = 60.0) -> tuple[GracefulShutdown, list[str]]:
    begun: list[str] = []
    shutdown = GracefulShutdown(
        host, lame_duck_s=0.0, drain_s=drain_s, on_begin=lambda: begun.append("not ready")
    )
    return shutdown, begun


def test_it_says_so_first_and_stops_taking_connections_later() -> None:
    async def test() -> None:
        host, doors = Host(), Doors()
        shutdown, begun = shutdown_of(host)
        shutdown.take([doors])
        shutdown.begin()
        shutdown.begin()  # A second signal changes nothing.
        assert host.is_draining
        assert begun == ["not ready"]
        assert doors.log == ["leave to others"]
        assert not shutdown.is_due
        await shutdown.wait(60)
        assert shutdown.is_due
        await shutdown.drain()
        assert doors.log == ["leave to others", "stop"]

    run(test)


def test_before_it_takes_requests_it_is_due_at_once() -> None:
    async def test() -> None:
        host = Host()
        shutdown, begun = shutdown_of(host)
        shutdown.begin()
        assert shutdown.is_due
        assert begun == []

    run(test)


def test_the_last_requests_are_waited_for() -> None:
    async def test() -> None:
        host = Host()
        shutdown, _ = shutdown_of(host)
        client = Client(host.connections)

        def answer() -> None:
            if host.notified == 2:
                host.connections.remove(client)

        host.on_notify = answer
        await shutdown.drain()
        assert host.notified == 2
        assert len(host.connections) == 0

    run(test)


class Echo(asyncio.Protocol):
    """Answers what it is sent, and closes."""

    idle_since: float | None = 0.0

    def __init__(self, host: Host) -> None:
        self._connections = host.connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not asyncio's by type.
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.remove(self)

    def check_time(self, now: float) -> None: ...

    def end_if_idle(self) -> None:
        self._transport.close()


Policy = Callable[[], asyncio.AbstractEventLoopPolicy]
on_both_loops = pytest.mark.parametrize(
    "policy", [asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy]
)


@on_both_loops
def test_who_has_connected_at_the_last_moment_is_answered(policy: Policy) -> None:
    async def test() -> None:
        host = Host()
        shutdown, _ = shutdown_of(host)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            count = host.connection_count
            shutdown.take([Acceptor(host.loop, listener, count, lambda: Echo(host), None)])
            with socket.create_connection(listener.getsockname(), timeout=10) as client:
                client.sendall(b"the last request")
                # The loop has not turned since; the worker has not seen the connection.
                await shutdown.drain()
                assert client.recv(100) == b"the last request"

    with asyncio.Runner(loop_factory=policy().new_event_loop) as runner:
        runner.run(test())


@on_both_loops
@pytest.mark.parametrize("connects", ["long before", "just before"])
def test_a_pause_of_the_machine_is_not_held_against_clients(
    policy: Policy, connects: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graceful_shutdown, "GRACE_S", 0.2)

    async def test() -> None:
        host = Host()
        shutdown, _ = shutdown_of(host)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            count = host.connection_count
            shutdown.take([Acceptor(host.loop, listener, count, lambda: Echo(host), None)])
            with socket.create_connection(listener.getsockname(), timeout=10) as client:

                def pause() -> None:
                    time.sleep(0.5)
                    client.sendall(b"the last request")

                if connects == "just before":
                    # The connection is taken, and has no protocol yet.
                    host.loop.call_soon(pause)
                else:
                    while not len(host.connections):
                        await asyncio.sleep(0.01)
                    host.loop.call_later(0.01, pause)
                await shutdown.drain()
                assert client.recv(100) == b"the last request"

    with asyncio.Runner(loop_factory=policy().new_event_loop) as runner:
        runner.run(test())


@on_both_loops
def test_a_connection_that_was_left_to_others_is_not_taken_after_the_last_look(
    policy: Policy,
) -> None:
    async def test() -> None:
        host, counts = Host(), ConnectionCounts(2)
        host.connection_count, other = counts.take(), counts.take()
        host.connections = OpenConnections(10, host.connection_count)
        shutdown, _ = shutdown_of(host)
        # The other worker's, which takes no connection here, and the one of the worker that stops.
        with socket.create_server(("127.0.0.1", 0)) as others, others.dup() as listener:
            count = host.connection_count
            acceptor = Acceptor(host.loop, listener, count, lambda: Echo(host), None)
            shutdown.take([acceptor])
            other.show()
            acceptor.leave_to_others()
            with socket.create_connection(listener.getsockname(), timeout=10) as client:
                client.sendall(b"the last request")
                # It is left to the other worker, for a moment.
                while not acceptor._balancer.has_left_one:
                    await asyncio.sleep(0)
                await shutdown.drain()
                assert client.recv(100) == b"the last request"
            with socket.create_connection(others.getsockname(), timeout=10) as late:
                late.sendall(b"too late")
                await asyncio.sleep(0.3)
                assert count.connections == 0
                others.settimeout(10)
                accepted, _ = others.accept()
                with accepted:
                    assert accepted.recv(100) == b"too late"

    with asyncio.Runner(loop_factory=policy().new_event_loop) as runner:
        runner.run(test())


def test_not_for_longer_than_it_may() -> None:
    async def test() -> None:
        host = Host()
        shutdown, _ = shutdown_of(host, drain_s=0.0)
        Client(host.connections)
        await shutdown.drain()
        assert len(host.connections) == 1

    run(test)


def test_nor_when_it_is_to_stop_at_once() -> None:
    async def test() -> None:
        host = Host()
        shutdown, _ = shutdown_of(host)
        Client(host.connections)
        host.on_notify = shutdown.hurry
        await shutdown.drain()
        assert host.notified == 1

    run(test)


def test_idle_connections_are_closed_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graceful_shutdown, "GRACE_S", 0.0)

    async def test() -> None:
        host = Host()
        shutdown, _ = shutdown_of(host)
        Client(host.connections).idle_since = 0.0
        await shutdown.drain()
        assert len(host.connections) == 0

    run(test)


def test_gunicorn_waits_for_all_of_it() -> None:
    assert timeout_s(drain_s=30, lame_duck_s=1.5) >= 31.5 + graceful_shutdown.END_S
