"""Real servers of object stores, and a proxy that spoils what they say."""

import contextlib
import logging
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.listening import listening

BUCKET = "models"
KEYS = {
    "AWS_ACCESS_KEY_ID": "someone",
    "AWS_SECRET_ACCESS_KEY": "something",
    "AWS_REGION": "us-east-1",
}

# What becomes of a request: nothing, or one of the ways below in which it is spoiled.
THROTTLED, CUT, BROKEN_OFF, TRUNCATED, WRONG = (
    "throttled",
    "cut",
    "broken off",
    "truncated",
    "wrong",
)
Spoil = Callable[[str, str], str | None]

_SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


@contextlib.contextmanager
def s3_of_moto() -> Iterator[str]:
    """Run moto's S3 with one empty bucket; yield its address.

    It answers one request at a time, so that a condition and its put are one step.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        put = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")
        urllib.request.urlopen(put).close()
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def rclone(kind: str, folder: Path, port: int, *options: str) -> Iterator[str]:
    """Let rclone serve a folder as ``s3``, whose buckets are its folders, or ``webdav``."""
    command = [str(Path(sys.executable).with_name("rclone")), "serve", kind, str(folder)]
    address = f"127.0.0.1:{port}"
    given = ("--addr", address, "--log-level", "ERROR", "--config", "", "--dir-cache-time", "1ms")
    with listening([*command, *given, *options], port):
        yield f"http://{address}"


@dataclass
class Proxy:
    """A server in front of another one.

    Attributes:
        url: its address.
        spoil: says of a method and a path what becomes of the request.
        asked: the methods and paths of all requests, and the ranges that were asked for.
    """

    url: str
    spoil: Spoil = lambda method, path: None
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def lists(self) -> int:
        """Return how many requests asked for a listing."""
        return sum("list-type=2" in path for _, path, _ in self.asked)


@contextlib.contextmanager
def proxy_of(upstream: str) -> Iterator[Proxy]:
    """Run a proxy of ``upstream``."""

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            proxy.asked.append((self.command, self.path, self.headers.get("Range", "")))
            size = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(size)
            how = proxy.spoil(self.command, self.path)
            if how == CUT:
                self.close_connection = True
                return
            if how == THROTTLED:
                self._answer(503, {}, _SLOW_DOWN, len(_SLOW_DOWN))
                return
            connection = HTTPConnection(upstream.removeprefix("http://"))
            with contextlib.closing(connection):
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                data = answer.read()
            length = int(answer.headers.get("Content-Length", len(data)))
            if how == BROKEN_OFF:
                data = data[: len(data) // 2]
            elif how == TRUNCATED:
                data = data[: len(data) // 2]
                length = len(data)
            elif how == WRONG:
                data = bytes(255 - byte for byte in data)
            self._answer(answer.status, dict(answer.headers), data, length)

        def _answer(self, status: int, headers: dict[str, str], data: bytes, length: int) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
