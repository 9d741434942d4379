"""Clients that are slow, silent, or gone."""

import contextlib
import itertools
import re
import socket
import time

import pytest

from tests.service.echo import LARGE
from tests.service.server.conftest import StartServer
from tests.service.server.wire import (
    GET,
    CutError,
    Server,
    answer,
    ask,
    exactly,
    has_taken_up,
    line,
    queued,
)
from tests.waiting import eventually


def test_a_large_answer_to_a_slow_reader(server: Server, connection: socket.socket) -> None:
    connection.sendall(GET % b"large")
    # The client's buffers are full.
    eventually(lambda: queued(server, connection)[0] > 0)
    assert answer(connection)[2] == LARGE
    assert ask(connection, b"echo") == b""


def test_clients_that_vanish(server: Server) -> None:
    for request in (b"", b"GET", GET % b"large", GET % b"sleep/0.2"):
        for linger in (True, False):
            with server.connect() as connection:
                connection.sendall(request)
                eventually(lambda: has_taken_up(server, connection))
                if not linger:  # A reset, not an orderly end.
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" + b"\0" * 4
                    )
    with server.connect() as connection:
        assert ask(connection, b"echo") == b""


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
        eventually(lambda: has_taken_up(server, connection))
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


@pytest.mark.parametrize("sent", [b"", GET % b"pid"], ids=["silent", "asked"])
def test_the_oldest_idle_connections_go_though_their_clients_stay(
    start_server: StartServer, sent: bytes
) -> None:
    # One whose client has its answer is not idle before its thread is done. A single thread is done
    # with one before it answers the next.
    server = start_server("--worker-connections", "20", threads=1)
    with contextlib.ExitStack() as stack:
        # None of these clients closes its side, and the worker does not wait until they do.
        connections = []
        for _ in range(40):
            connections.append(stack.enter_context(server.connect()))
            connections[-1].sendall(sent)
            if sent:
                assert answer(connections[-1])[0] == 200
        # One more may have gone while another was still ending.
        oldest, newest = connections[:20], connections[25:]
        for connection in newest:
            ask(connection, b"pid")
        for connection in oldest:
            connection.settimeout(5)
            assert connection.recv(1) == b""
        held = re.search(
            rb'\nunderstudy_connections{worker="\d+"} (\d+)', ask(newest[0], b"metrics")
        )
        assert held is not None
        assert int(held[1]) <= 20


def test_a_new_connection_is_not_the_one_that_goes(start_server: StartServer) -> None:
    server = start_server("--worker-connections", "5")
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(server.connect()).sendall(b"GET /pid HTTP/1.1\r\n")
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


@pytest.mark.parametrize(
    "size", [b"Content-Length: 9000000", b"Transfer-Encoding: chunked"], ids=["body", "chunks"]
)
def test_a_request_that_pauses_is_refused(start_server: StartServer, size: bytes) -> None:
    server = start_server(UNDERSTUDY_READ_TIMEOUT_S="1", UNDERSTUDY_MAX_BODY_BYTES="10000000")
    with server.connect() as connection:
        # What comes at once would be time enough for two minutes of drops.
        body = bytes(8_000_000)
        if b"chunked" in size:
            body = b"%x\r\n%b" % (len(body) + 1, body)
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\n" + size + b"\r\n\r\n" + body)
        status, headers, text = answer(connection)
    assert status == 408
    assert headers["Connection"] == "close"
    assert b'"code":"REQUEST_TIMEOUT"' in text


@pytest.mark.parametrize("closes", [False, True], ids=["kept", "closes"])
def test_a_slow_reader_that_gets_on_gets_all(start_server: StartServer, closes: bool) -> None:
    server = start_server(UNDERSTUDY_READ_TIMEOUT_S="1")
    with server.connect() as slow:
        connection = b"Connection: close\r\n" if closes else b""
        slow.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n" + connection + b"\r\n")
        # The pauses are the case: longer together than both the time to read in and the grace.
        while line(slow) != b"\r\n":
            pass
        step = len(LARGE) // 16
        for start in range(0, len(LARGE), step):
            assert exactly(slow, step) == LARGE[start : start + step]
            time.sleep(0.3)


def test_a_client_that_does_not_read_is_let_go(start_server: StartServer) -> None:
    server = start_server(threads=1, UNDERSTUDY_READ_TIMEOUT_S="1")
    with server.connect() as deaf, server.connect() as other:
        deaf.sendall(GET % b"large")
        assert ask(other, b"echo") == b""
        held = re.compile(rb'\nunderstudy_connections{worker="\d+"} 1.0\n')
        eventually(lambda: held.search(ask(other, b"metrics")) is not None)
        with pytest.raises((CutError, ConnectionResetError)):
            answer(deaf)
