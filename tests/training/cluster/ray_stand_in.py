"""A stand-in for Ray's package: tasks run in this process, when somebody waits for them."""

import socket
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest


class RayError(Exception):
    """As Ray's own: what has become of a task."""


class RayTaskError(RayError):
    """As Ray's own: the trace of what a task raised."""


class StandIn:
    """What the adapter uses of Ray.

    Attributes:
        refuses: what ``init`` raises; ``None`` where there is a cluster.
        hosts: the names of its nodes' machines.
        lost: by a task's name, what becomes of it instead of a result.
        cancelled: the names of tasks that were interrupted.
        is_connected: whether ``init`` was called and ``shutdown`` was not.
        retries: how often a task is begun anew.
    """

    def __init__(self) -> None:
        self.exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)
        self.refuses: Exception | None = None
        self.hosts = [socket.gethostname()]
        self.lost: dict[str, Exception] = {}
        self.cancelled: list[str] = []
        self.is_connected = False
        self.retries = 0
        self._work: dict[str, Callable[[], Any]] = {}

    def init(self, address: str, **_: Any) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.is_connected = True

    def shutdown(self) -> None:
        self.is_connected = False

    def nodes(self) -> list[dict[str, Any]]:
        gone = {"NodeManagerHostname": "gone", "Alive": False}
        return [gone, *({"NodeManagerHostname": host, "Alive": True} for host in self.hosts)]

    def remote(self, *, max_calls: int, max_retries: int) -> Callable[[Any], Any]:
        assert max_calls == 1  # a process of its own for each task
        self.retries = max_retries

        def decorate(function: Callable[..., Any]) -> Any:
            def options(name: str) -> Any:
                def remote(*arguments: Any) -> str:
                    assert self.is_connected
                    self._work[name] = lambda: function(*arguments)
                    return name

                return SimpleNamespace(remote=remote)

            return SimpleNamespace(options=options)

        return decorate

    def wait(
        self, tasks: list[str], *, num_returns: int, timeout: float | None
    ) -> tuple[list[str], list[str]]:
        assert tasks
        return tasks[:num_returns], tasks[num_returns:]

    def get(self, task: str) -> Any:
        if task in self.lost:
            raise self.lost[task]
        return self._work[task]()

    def cancel(self, task: str) -> None:
        self.cancelled.append(task)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Ray's package, for as long as a test runs; it must have hung up then."""
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    yield stand_in
    assert not stand_in.is_connected
