"""The real service: gunicorn, its workers, a free port."""

import contextlib
import itertools
import random
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.browser import chromium
from tests.service_process import ServiceProcess, start_gunicorn
from tests.waiting import eventually

# Generous, for a machine that does other things as well; nothing is measured by it.
_START_S = 120


@dataclass
class Service:
    """A running service and what it has written so far."""

    url: str
    process: ServiceProcess
    output: Path
    errors: Path

    def post(self, path: str, body: Any, **options: Any) -> requests.Response:
        """Send ``body`` as JSON over a connection of its own."""
        return requests.post(f"{self.url}{path}", json=body, timeout=60, **options)

    def get(self, path: str) -> requests.Response:
        """Ask over a connection of its own."""
        return requests.get(f"{self.url}{path}", timeout=60)

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def stop(self) -> int:
        """End the service as an operator does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


# Below what kernels give to connections (Linux from 32,768, others from 49,152): those are taken by
# any client between the question and the service's start, and another test's service is mistaken
# for one's own. A process begins anywhere and gives no port twice before it has been round.
_PORTS = range(12_000, 32_000)
_next_port = itertools.count(random.SystemRandom().randrange(len(_PORTS)))


def free_port() -> int:
    """Return a port that nobody listens on, and that nobody else is likely to be given meanwhile."""
    for number in _next_port:
        port = _PORTS[number % len(_PORTS)]
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("itertools.count has ended")


StartService = Callable[..., Service]


@pytest.fixture(scope="module")
def start_service(
    tmp_path_factory: pytest.TempPathFactory, repository_root: Path
) -> Iterator[StartService]:
    """Return a function that starts a service on a folder of models and waits until it answers ``wait_for``.

    ``under`` is a command that runs the command after it, such as ``setpriv`` with its options.
    """
    started: list[Service] = []

    def start(
        models: Path,
        *,
        wait_for: str | None = "/readyz",
        under: Sequence[str] = (),
        **environment: str,
    ) -> Service:
        port = int(environment.get("PORT", 0)) or free_port()
        logs = tmp_path_factory.mktemp("logs")
        process = start_gunicorn(
            root=repository_root,
            stdout=logs / "out",
            stderr=logs / "err",
            under=under,
            environment={
                "MODELS": str(models),
                "PORT": str(port),
                "UNDERSTUDY_WORKERS": "2",
                "UNDERSTUDY_POLL_INTERVAL_S": "0.2",
                "UNDERSTUDY_LAME_DUCK_S": "0",
                "TMPDIR": str(tmp_path_factory.mktemp("tmp")),
                **environment,
            },
        )
        service = Service(f"http://127.0.0.1:{port}", process, logs / "out", logs / "err")
        started.append(service)

        def answers() -> bool:
            assert process.poll() is None, service.errors.read_text()[-3000:]
            try:
                return service.get(wait_for).ok
            except requests.ConnectionError:
                return False

        if wait_for is not None:
            eventually(answers, _START_S)
        return service

    yield start
    for service in started:
        if service.process.poll() is None:
            service.stop()


@pytest.fixture
def faults(tmp_path: Path) -> Path:
    """The file that says what happens in a service with ``tests/e2e/faults``."""
    return tmp_path / "faults"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser; tests are skipped where there is none."""
    with chromium() as started:
        yield started
