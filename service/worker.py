"""gunicorn's threaded worker, with the service's JSON where gunicorn answers by itself."""

import os
import socket
import struct
import threading
from http import HTTPStatus
from typing import Any

import orjson
from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

from service.errors import ServiceError
from service.settings import Settings

_STATUSES: dict[type[Exception], tuple[int, str]] = {
    LimitRequestLine: (414, "The request line is too long."),
    LimitRequestHeaders: (431, "The request's headers are too large."),
    ExpectationFailed: (417, "The Expect header asks for what this service does not do."),
    UnsupportedTransferCoding: (501, "The Transfer-Encoding is not supported."),
}


class Worker(ThreadWorker):
    """Leaves in two steps, and answers what cannot be parsed as HTTP with the one error body."""

    def init_process(self) -> None:
        """Bound how long a connection may keep a thread waiting for its next bytes.

        The kernel hands a listening socket's timeout on to the connections that it accepts
        (Linux; socket(7)), where it also holds for the blocking reads that gunicorn does.
        """
        seconds = Settings.from_environ(os.environ).read_timeout_s
        timeout = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
        for listener in self.sockets:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        super().init_process()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Say that the worker is not ready any more, and stop when others have noticed."""
        if not hasattr(self, "wsgi"):
            # It has not got as far as having an application.
            super().handle_exit(sig, frame)
            return
        self.wsgi.extensions["lifecycle"].drain()
        # From now on each answer says "Connection: close", so that clients which keep their
        # connections open go elsewhere, and none is on its way when the worker stops.
        self.cfg.set("keepalive", 0)
        seconds = Settings.from_environ(os.environ).lame_duck_s
        threading.Timer(seconds, super().handle_exit, (sig, frame)).start()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer a request that never reached the application, or made it fail outright."""
        if not isinstance(exc, ParseException):
            self.log.exception("A request failed outside the application.")
        error = _error_of(exc)
        body = orjson.dumps(error.body())
        head = (
            f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n"
            "Connection: close\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            write_nonblock(client, head.encode("latin-1") + body)
        except OSError:
            self.log.debug("A client left before it was told of its error.")


def _error_of(exc: Exception) -> ServiceError:
    for kind, (status, message) in _STATUSES.items():
        if isinstance(exc, kind):
            return ServiceError(message, status=status)
    if isinstance(exc, ParseException):
        return ServiceError("The request is not well-formed HTTP.", status=400)
    return ServiceError("The service failed; its log tells more.")
