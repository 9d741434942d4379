"""The worker, as real processes with a small application."""

import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.e2e.conftest import free_port
from tests.service.server.wire import Server, ask
from tests.service_process import ServiceProcess, start_gunicorn
from tests.waiting import eventually

StartServer = Callable[..., Server]


@pytest.fixture(scope="module")
def start_server(
    tmp_path_factory: pytest.TempPathFactory, repository_root: Path
) -> Iterator[StartServer]:
    started: list[ServiceProcess] = []

    def start(
        *arguments: str,
        workers: int = 1,
        threads: int = 4,
        under: Sequence[str] = (),
        **environment: str,
    ) -> Server:
        port = free_port()
        folder = tmp_path_factory.mktemp("server")
        process = start_gunicorn(
            *("--worker-class", "service.server.worker.Worker", "--no-control-socket"),
            *("--bind", f"127.0.0.1:{port}", "--keep-alive", "75"),
            *("--workers", str(workers), "--worker-connections", "1000"),
            *arguments,
            "tests.service.echo:app",
            root=repository_root,
            stdout=folder / "log",
            stderr=folder / "log",
            environment={
                "UNDERSTUDY_LAME_DUCK_S": "0",
                "UNDERSTUDY_THREADS": str(threads),
                "UNDERSTUDY_MAX_BODY_BYTES": "1000000",
                **environment,
            },
            under=under,
        )
        started.append(process)
        server = Server(port, process, folder / "log")

        def answers() -> bool:
            assert process.poll() is None, server.log.read_text()
            with contextlib.suppress(OSError), server.connect() as connection:
                return ask(connection, b"pid") != b""
            return False

        eventually(answers)
        return server

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Iterator[Server]:
    server = start_server()
    yield server
    # Whatever the tests did, the log tells of no failure but the one that was asked for.
    assert "Socket error" not in server.log.read_text()


@pytest.fixture
def connection(server: Server) -> Iterator[socket.socket]:
    with server.connect() as connection:
        yield connection
