"""A running server, and HTTP by hand over its sockets."""

import http.client
import io
import socket
from dataclasses import dataclass
from pathlib import Path

from tests.service_process import ServiceProcess

Answer = tuple[int, http.client.HTTPMessage, bytes]
GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Server:
    """A gunicorn with our worker."""

    port: int
    process: ServiceProcess
    log: Path

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]


def queued(server: Server, connection: socket.socket) -> tuple[int, int]:
    """Return the bytes that the server has not got rid of, and those that it has not taken up.

    They are what the kernel keeps for its end of a connection (proc(5), /proc/net/tcp).
    """
    ends = f"0100007F:{server.port:04X} 0100007F:{connection.getsockname()[1]:04X}"
    for entry in Path("/proc/net/tcp").read_text().splitlines():
        if ends in entry:
            sent, received = entry.split()[4].split(":")
            return int(sent, 16), int(received, 16)
    raise AssertionError("There is no such connection.")


def has_taken_up(server: Server, connection: socket.socket) -> bool:
    """Whether the server has read all that was sent to it."""
    return queued(server, connection)[1] == 0


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
    assert headers["Connection"] is None
    return body
