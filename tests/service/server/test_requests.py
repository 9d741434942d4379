"""Requests and answers, over one connection."""

import socket
import threading
import time

import pytest

from tests.service.server.wire import GET, Server, answer, ask


def test_a_connection_is_kept(connection: socket.socket) -> None:
    for _ in range(3):
        assert ask(connection, b"echo") == b""
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
    ("request_head", "told"),
    [
        (b"GET /pid HTTP/1.0\r\n\r\n", "close"),
        # Without a word a client of HTTP/1.0 waits until the connection ends.
        (b"GET /pid HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"),
        (b"GET /pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "close"),
        (b"GET /pid HTTP/1.1\r\nHost: x\r\n\r\n", None),
    ],
)
def test_who_asked_to_close_is_closed(
    connection: socket.socket, request_head: bytes, told: str | None
) -> None:
    connection.sendall(request_head)
    status, headers, _ = answer(connection)
    assert status == 200
    assert headers["Connection"] == told
    if told == "close":
        assert connection.recv(1) == b""
    else:
        ask(connection, b"pid")


@pytest.mark.parametrize("version", [b"13", b"12"])
def test_an_offer_to_upgrade_is_ignored(connection: socket.socket, version: bytes) -> None:
    connection.sendall(
        b"GET /pid HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: %s\r\n\r\n"
        % version
    )
    assert answer(connection)[0] == 200
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
def test_a_body_that_is_too_large_to_be_read_ends_the_connection(
    server: Server, framing: bytes
) -> None:
    connection = server.connect()
    connection.sendall(b"POST /unread HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % framing)
    # The client hears of it only when it has sent all; a reset would lose the answer.
    if b"chunked" in framing:
        connection.sendall(b"7a1200\r\n")
    connection.sendall(bytes(8_000_000))
    status, headers, body = answer(connection)
    assert (status, body) == (200, b"not read")
    assert headers["Connection"] == "close"
    assert connection.recv(1) == b""
    connection.close()


def test_a_failure_of_the_application(server: Server, connection: socket.socket) -> None:
    connection.sendall(GET % b"fail")
    status, headers, body = answer(connection)
    assert status == 500
    assert headers["Connection"] == "close"
    assert b'"code":"INTERNAL"' in body
    assert connection.recv(1) == b""
