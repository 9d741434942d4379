"""How a worker stops, without a server around it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from service.server import graceful_shutdown
from service.server.connection_acceptor import Acceptor
from service.server.connection_balancing import ConnectionCounts
from service.server.connections import Connections
from service.server.graceful_shutdown import GracefulShutdown, timeout_s


class Client:
    """A connection that ends when it is asked to, if it is idle."""

    idle_since: float | None = None

    def __init__(self, connections: Connections) -> None:
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


class Host:
    """A worker that is being stopped."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.connection_count = ConnectionCounts(1).take()
        self.connections = Connections(10, self.connection_count)
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
