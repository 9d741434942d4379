import socket
from collections.abc import Iterator

import pytest
from gunicorn.http.unreader import SocketUnreader

from service.client_socket import ClientSocket
from service.heads import Head, read_head

WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LINE = 100


class Connection:
    """Both ends of a connection, and what gunicorn's parser would read from."""

    def __init__(self) -> None:
        self.far, near = socket.socketpair()
        self.near = ClientSocket(near, seconds=60)
        self.unreader = SocketUnreader(self.near)

    def send(self, data: bytes) -> Head:
        self.far.sendall(data)
        return self.read()

    def read(self) -> Head:
        return read_head(self.near, self.unreader, LINE, wait=False)


@pytest.fixture
def connection() -> Iterator[Connection]:
    connection = Connection()
    with connection.far, connection.near:
        yield connection


def test_nothing_has_come(connection: Connection) -> None:
    assert connection.read() is Head.NOTHING


def test_a_head_in_one_piece(connection: Connection) -> None:
    assert connection.send(WHOLE + b"body") is Head.WHOLE
    assert connection.unreader.read() == WHOLE + b"body"


def test_a_head_byte_by_byte(connection: Connection) -> None:
    heads = [connection.send(bytes([byte])) for byte in WHOLE]
    assert heads == [Head.PART] * (len(WHOLE) - 1) + [Head.WHOLE]
    assert connection.unreader.read() == WHOLE


def test_what_is_whole_is_not_read_on(connection: Connection) -> None:
    connection.send(WHOLE)
    assert connection.send(b"more") is Head.WHOLE
    assert connection.unreader.read() == WHOLE
    assert connection.unreader.read() == b"more"


def test_what_came_with_the_request_before_comes_first(connection: Connection) -> None:
    connection.unreader.unread(WHOLE[:10])
    assert connection.read() is Head.PART
    assert connection.send(WHOLE[10:]) is Head.WHOLE
    assert connection.unreader.read() == WHOLE


@pytest.mark.parametrize("data", [b"", b"GET"])
def test_a_client_that_closes(connection: Connection, data: bytes) -> None:
    if data:
        connection.send(data)
    connection.far.close()
    assert connection.read() is Head.END


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\nHost: x\n",
        b"GET / HTTP/1.1\r\nHost: x\n",
        b"x" * (LINE + 3),
        b"\r\n" + b"\r\n",
    ],
    ids=["bare LF", "mixed ends", "long line", "empty"],
)
def test_what_the_parser_refuses_needs_no_rest(connection: Connection, data: bytes) -> None:
    assert connection.send(data) is Head.WHOLE


def test_half_an_end_is_none(connection: Connection) -> None:
    assert connection.send(b"GET / HTTP/1.1\r") is Head.PART
    assert connection.send(b"\n\r") is Head.PART
    assert connection.send(b"\n") is Head.WHOLE


def test_a_head_without_an_end_is_too_large(connection: Connection) -> None:
    head, sent = connection.send(b"GET / HTTP/1.1\r\n"), 0
    while head is Head.PART:
        head = connection.send(b"x" * 4096)
        sent += 4096
    assert head is Head.TOO_LARGE
    assert sent == 64 * 1024
