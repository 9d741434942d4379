"""The worker, as real processes with a small application, against clients made of sockets."""

import contextlib
import http.client
import io
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import eventually, free_port
from tests.service.echo import LARGE

Answer = tuple[int, http.client.HTTPMessage, bytes]
GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Server:
    """A gunicorn with our worker."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]


StartServer = Callable[..., Server]


class CutError(Exception):
    """The connection ended in the middle of an answer."""


def answer(connection: socket.socket, *, body: bool = True) -> Answer:
    """Read one answer, and not a byte of the next."""
    status, lines = line(connection).split(b" ")[1], b""
    while not lines.endswith(b"\r\n\r\n"):
        lines += line(connection)
    headers = http.client.parse_headers(io.BytesIO(lines))
    if not body:
        return int(status), headers, b""
    if headers["Transfer-Encoding"] != "chunked":
        return int(status), headers, exactly(connection, int(headers["Content-Length"]))
    whole = b""
    while chunk := exactly(connection, int(line(connection), 16)):
        whole += chunk
        assert exactly(connection, 2) == b"\r\n"
    assert exactly(connection, 2) == b"\r\n"
    return int(status), headers, whole


def line(connection: socket.socket) -> bytes:
    found = b""
    while not found.endswith(b"\r\n"):
        found += exactly(connection, 1)
    return found


def exactly(connection: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        data = connection.recv(count - len(found))
        if not data:
            raise CutError
        found += data
    return bytes(found)


def ask(connection: socket.socket, path: bytes) -> bytes:
    """Send a request, check that the connection goes on, and return the body."""
    connection.sendall(GET % path)
    status, headers, body = answer(connection)
    assert status == 200
    assert headers["Connection"] == "keep-alive"
    return body


@pytest.fixture(scope="module")
def start_server(
    tmp_path_factory: pytest.TempPathFactory, repository_root: Path
) -> Iterator[StartServer]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, workers: int = 1, threads: int = 4, **environment: str) -> Server:
        port = free_port()
        folder = tmp_path_factory.mktemp("server")
        (folder / "file").write_bytes(b"a file")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    Path(sys.executable).with_name("gunicorn"),
                    *("--worker-class", "service.worker.Worker", "--no-control-socket"),
                    *("--bind", f"127.0.0.1:{port}", "--keep-alive", "75"),
                    *("--workers", str(workers), "--threads", str(threads)),
                    *arguments,
                    "tests.service.echo:app",
                ],
                cwd=repository_root,
                stderr=log,
                env={
                    **os.environ,
                    "PYTHONPATH": str(repository_root),
                    "FILE": str(folder / "file"),
                    "UNDERSTUDY_LAME_DUCK_S": "0",
                    **environment,
                },
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


def test_a_connection_is_kept(connection: socket.socket) -> None:
    for _ in range(3):
        assert ask(connection, b"echo") == b""
        time.sleep(0.1)  # Longer than a thread stays with it.
        assert ask(connection, b"unread") == b"not read"


def test_requests_sent_together_are_answered_in_order(connection: socket.socket) -> None:
    bodies = [b"%d" % number * 1000 for number in range(200)]
    posts = [b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" for _ in bodies]
    data = b"".join(post % (len(body), body) for post, body in zip(posts, bodies, strict=True))
    sender = threading.Thread(target=connection.sendall, args=[data])
    sender.start()
    for body in bodies:
        assert answer(connection)[2] == body
    sender.join()


def test_a_request_in_small_pieces(connection: socket.socket) -> None:
    data = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    for _ in range(2):
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(0.001)
        assert answer(connection)[2] == b"abc"


@pytest.mark.parametrize(
    ("request_head", "closes"),
    [
        (b"GET /pid HTTP/1.0\r\n\r\n", True),
        (b"GET /pid HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
        (b"GET /pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", True),
        (b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n", False),
    ],
)
def test_who_asked_to_close_is_closed(
    connection: socket.socket, request_head: bytes, closes: bool
) -> None:
    connection.sendall(request_head)
    status, headers, _ = answer(connection)
    assert status == 200
    assert headers["Connection"] == ("close" if closes else "keep-alive")
    if closes:
        assert connection.recv(1) == b""
    else:
        ask(connection, b"pid")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("HEAD", b"/pid", 200), ("GET", b"/status/204", 204), ("GET", b"/status/304", 304)],
)
def test_an_answer_without_a_body(
    connection: socket.socket, method: str, path: bytes, status: int
) -> None:
    for _ in range(2):
        connection.sendall(method.encode() + b" " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        got, _, body = answer(connection, body=False)
        assert (got, body) == (status, b"")
    assert ask(connection, b"echo") == b""


def test_chunks_both_ways(connection: socket.socket) -> None:
    connection.sendall(
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
    )
    assert answer(connection)[2] == b"abcde"
    assert ask(connection, b"stream") == b"onetwo"


def test_a_file(connection: socket.socket) -> None:
    for _ in range(2):
        assert ask(connection, b"file") == b"a file"


def test_a_client_that_waits_to_be_told_to_go_on(connection: socket.socket) -> None:
    connection.sendall(
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    )
    told = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert connection.recv(len(told), socket.MSG_WAITALL) == told
    connection.sendall(b"abc")
    assert answer(connection)[2] == b"abc"


def test_a_body_that_nobody_read_does_not_become_a_request(connection: socket.socket) -> None:
    body = b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n"
    connection.sendall(
        b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    assert answer(connection)[2] == b"not read"
    assert ask(connection, b"echo") == b""


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 8000000", b"Transfer-Encoding: chunked"], ids=["length", "chunks"]
)
def test_a_large_body_that_nobody_read_ends_the_connection(
    connection: socket.socket, framing: bytes
) -> None:
    connection.sendall(b"POST /unread HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % framing)
    # The client hears of it only when it has sent all; a reset would lose the answer.
    if b"chunked" in framing:
        connection.sendall(b"7a1200\r\n")
    connection.sendall(bytes(8_000_000))
    status, headers, body = answer(connection)
    assert (status, body) == (200, b"not read")
    assert headers["Connection"] == "close"
    assert connection.recv(1) == b""


def test_a_large_answer_to_a_slow_reader(connection: socket.socket) -> None:
    connection.sendall(GET % b"large")
    time.sleep(0.2)  # By now all buffers are full.
    assert answer(connection)[2] == LARGE
    assert ask(connection, b"echo") == b""


def test_clients_that_vanish(server: Server) -> None:
    for request in (b"", b"GET", GET % b"large", GET % b"sleep/0.2"):
        for linger in (True, False):
            with server.connect() as connection:
                connection.sendall(request)
                time.sleep(0.05)
                if not linger:  # A reset, not an orderly end.
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" + b"\0" * 4
                    )
    with server.connect() as connection:
        assert ask(connection, b"echo") == b""


def test_a_failure_of_the_application(server: Server, connection: socket.socket) -> None:
    connection.sendall(GET % b"fail")
    status, headers, body = answer(connection)
    assert status == 500
    assert headers["Connection"] == "close"
    assert b'"code":"INTERNAL"' in body
    assert connection.recv(1) == b""


def test_open_connections_are_counted(start_server: StartServer) -> None:
    server = start_server()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(3)]
        pids = {ask(connection, b"pid").decode() for connection in connections}
        sample = f'understudy_connections{{worker="{pids.pop()}"}} 3.0'.encode()
        eventually(lambda: sample in ask(connections[0], b"metrics"))


def test_more_connections_than_threads_all_get_on(start_server: StartServer) -> None:
    server = start_server(threads=2)
    stop = threading.Event()
    counts = Counter[int]()

    def client(number: int) -> None:
        with server.connect() as connection:
            while not stop.is_set():
                ask(connection, b"pid")
                counts[number] += 1

    with ThreadPoolExecutor(12) as pool:
        clients = [pool.submit(client, number) for number in range(12)]
        try:
            eventually(lambda: len(counts) == 12 and min(counts.values()) >= 20)
        finally:
            stop.set()
        for done in clients:
            done.result()
    # They took turns: none was far ahead of the others.
    assert max(counts.values()) < 20 * min(counts.values())


def test_silent_connections_hold_no_thread(start_server: StartServer) -> None:
    server = start_server(threads=2)
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(server.connect()) for _ in range(20)]
        with server.connect() as connection:
            for _ in range(5):
                assert ask(connection, b"echo") == b""
        for connection in silent:
            assert ask(connection, b"echo") == b""


def test_half_heads_hold_no_thread(start_server: StartServer) -> None:
    server = start_server(threads=2, UNDERSTUDY_READ_TIMEOUT_S="3600")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(300)]
        for connection in slow:
            connection.sendall(b"GET /pid HTTP/1.1\r\nHo")
        with server.connect() as connection:
            for _ in range(5):
                assert ask(connection, b"echo") == b""
        for connection in slow:
            connection.sendall(b"st: x\r\n\r\n")
        assert {answer(connection)[0] for connection in slow} == {200}
        for connection in slow:
            assert ask(connection, b"echo") == b""


def test_half_a_head_behind_a_request(start_server: StartServer) -> None:
    server = start_server(threads=1, UNDERSTUDY_READ_TIMEOUT_S="3600")
    body = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    with server.connect() as slow, server.connect() as other:
        for _ in range(3):
            slow.sendall(body + GET % b"echo" + b"GET /pi")
            assert [answer(slow)[2] for _ in range(2)] == [b"abc", b""]
            assert ask(other, b"echo") == b""
            slow.sendall(b"d HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer(slow)[0] == 200


@pytest.mark.parametrize(
    ("start", "more", "status"),
    [
        (b"GET /pid HTTP/1.1\r\nX-Endless: ", b"x" * 1000, 431),
        (b"GET /", b"x" * 1000, 414),
        (b"GET /pid HTTP/1.1\r\nHost: x", b"\n", 400),
    ],
    ids=["headers", "line", "bare LF"],
)
def test_a_head_that_will_not_end_well_is_refused_before(
    start_server: StartServer, start: bytes, more: bytes, status: int
) -> None:
    server = start_server(UNDERSTUDY_READ_TIMEOUT_S="3600")
    with server.connect() as connection:
        connection.sendall(start)
        time.sleep(0.1)  # Longer than a thread waits for the rest.
        connection.settimeout(0.01)
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                connection.sendall(more)
                with contextlib.suppress(TimeoutError):
                    if connection.recv(1, socket.MSG_PEEK):
                        break
        connection.settimeout(60)
        got, headers, _ = answer(connection)
    assert got == status
    assert headers["Connection"] == "close"


def test_clients_that_do_not_close_hold_nothing_up(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        # gunicorn's own worker waits 2 s for each in its main loop; a client here waits 60 s.
        for _ in range(40):
            connection = stack.enter_context(server.connect())
            connection.sendall(b"GET /pid HTTP/1.0\r\n\r\n")
            assert answer(connection)[0] == 200
        with server.connect() as connection:
            ask(connection, b"pid")


@pytest.mark.parametrize(
    "start",
    [
        b"GET /pid HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["head", "body", "chunks"],
)
def test_a_request_in_drops_is_refused(start_server: StartServer, start: bytes) -> None:
    server = start_server(UNDERSTUDY_READ_TIMEOUT_S="1")
    drops = itertools.cycle(b"1\r\nx\r\n" if b"chunked" in start else b"x")
    with server.connect() as connection:
        connection.sendall(start)
        connection.settimeout(0.1)
        for drop in drops:
            with contextlib.suppress(TimeoutError):
                if connection.recv(1, socket.MSG_PEEK):
                    break
            connection.sendall(bytes([drop]))
        status, headers, body = answer(connection)
    assert status == 408
    assert headers["Connection"] == "close"
    assert b'"code":"REQUEST_TIMEOUT"' in body


def test_a_client_that_does_not_read_is_let_go(start_server: StartServer) -> None:
    server = start_server(threads=1, UNDERSTUDY_READ_TIMEOUT_S="1")
    with server.connect() as deaf, server.connect() as other:
        deaf.sendall(GET % b"large")
        assert ask(other, b"echo") == b""
        with pytest.raises((CutError, ConnectionResetError)):
            answer(deaf)


def test_a_worker_that_stops_answers_what_has_come(start_server: StartServer) -> None:
    server = start_server(threads=2)
    stopped = threading.Event()
    closed = []

    def client() -> int:
        answered = 0
        with server.connect() as connection:
            while True:
                connection.sendall(GET % b"pid")
                status, headers, _ = answer(connection)
                assert status == 200
                answered += 1
                if headers["Connection"] == "close":
                    assert stopped.is_set()
                    closed.append(connection.recv(1))
                    return answered

    with ThreadPoolExecutor(6) as pool:
        clients = [pool.submit(client) for _ in range(6)]
        time.sleep(0.5)
        stopped.set()
        server.process.send_signal(signal.SIGTERM)
        assert all(done.result() > 0 for done in clients)
    assert closed == [b""] * 6
    assert server.process.wait(60) == 0


def test_a_worker_that_stops_answers_a_head_that_came_in_part(start_server: StartServer) -> None:
    server = start_server(threads=2)
    with server.connect() as slow:
        slow.sendall(b"GET /pid HTTP/1.1\r\n")
        time.sleep(0.5)  # The main loop waits for the rest.
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        slow.sendall(b"Host: x\r\n\r\n")
        status, headers, _ = answer(slow)
    assert (status, headers["Connection"]) == (200, "close")
    assert server.process.wait(60) == 0


def test_the_last_answer_before_a_worker_is_replaced_says_so(start_server: StartServer) -> None:
    server = start_server("--max-requests", "5")
    pids = set()
    for _ in range(4):
        with server.connect() as connection:
            for _ in range(5):
                connection.sendall(GET % b"pid")
                status, headers, body = answer(connection)
                assert status == 200
                pids.add(body)
                if headers["Connection"] == "close":
                    break
    assert len(pids) > 1


def test_connections_are_spread(start_server: StartServer) -> None:
    server = start_server(workers=2, threads=32)
    eventually(lambda: len(server.workers()) == 2)
    time.sleep(1)  # Both have shown themselves.
    for at_once in (False, True) * 3:
        with contextlib.ExitStack() as stack, ThreadPoolExecutor(32) as pool:
            connections = list(
                pool.map(lambda _: server.connect(), range(32))
                if at_once
                else (server.connect() for _ in range(32))
            )
            for connection in connections:
                stack.enter_context(connection)
            pids = Counter(pool.map(lambda connection: ask(connection, b"pid"), connections))
        assert sum(pids.values()) == 32
        assert max(pids.values()) <= 20, (at_once, pids)


def test_a_worker_that_hangs_does_not_keep_connections_from_others(
    start_server: StartServer,
) -> None:
    server = start_server(workers=2)
    eventually(lambda: len(server.workers()) == 2)
    stuck, _ = server.workers()
    os.kill(stuck, signal.SIGSTOP)
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(16):
                connection = stack.enter_context(server.connect())
                assert ask(connection, b"pid") != b"%d" % stuck
    finally:
        os.kill(stuck, signal.SIGCONT)
