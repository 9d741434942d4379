"""gunicorn's threaded worker: cheaper, fairer, and with the service's JSON where it answers itself.

What it relies on, as of gunicorn 27.0: the methods of ``ThreadWorker`` that it overrides; that
``handle`` serves one request and returns whether the connection goes on; that sockets are read
by ``recv`` and written by ``sendall``, head and body of an answer apart; ``parser.unreader``.
"""

import contextlib
import errno
import logging
import os
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

import orjson
from gunicorn.glogging import Logger
from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker

from service.client_socket import ClientSocket
from service.errors import ServiceError
from service.logs import log
from service.seats import SEATS
from service.settings import Settings

_STATUSES: dict[type[Exception], tuple[int, str]] = {
    LimitRequestLine: (414, "The request line is too long."),
    LimitRequestHeaders: (431, "The request's headers are too large."),
    ExpectationFailed: (417, "The Expect header asks for what this service does not do."),
    UnsupportedTransferCoding: (501, "The Transfer-Encoding is not supported."),
}
_HEARTBEAT_S = 1.0
# How long a thread may keep Python's lock when others want it. A fifth of Python's own: a thread
# that answers a probe needs many turns where dozens predict.
_TURN_S = 0.001
# How long a client may take to close a connection that this side has closed; and to send its
# first request to a worker that stops.
_GRACE_S = 2.0
# A worker with more connections than another leaves a new one to it: for so long at most, and
# looks again after each such step.
_PATIENCE_S = 0.2
_STEP_S = 0.001
# When there are no file descriptors left, or no memory for a connection.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_EXHAUSTED_S = 1.0
_GONE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED)

_T = TypeVar("_T")


class QuietLogger(Logger):
    """gunicorn's logger, which builds no access log unless it is asked for one.

    With ``logconfig_dict`` set, gunicorn's own builds the parts of a line for each request. The
    service has an access log itself.
    """

    def access(self, *args: Any) -> None:
        """Log a request if ``--access-logfile`` is given."""
        if self.cfg.accesslog:
            super().access(*args)


class Worker(ThreadWorker):
    """Threads that stay with a connection for a moment, and connections spread over workers.

    A thread that has answered waits on the connection for its next request, some milliseconds,
    before it gives it back to the main loop: the way through the main loop costs as much
    processor time as all else that gunicorn does for a request. No thread does so while others
    wait for one, and never do all.

    The main loop waits for nobody: neither for the first bytes of a connection nor for a client
    to close its side.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take a seat beside the other workers; this runs in the master, before the fork."""
        self.seat = SEATS.take()
        super().__init__(*args, **kwargs)
        self._lingering: set[TConn] = set()
        # Some threads are always left to take what comes meanwhile.
        self._most_lingering = self.cfg.threads - max(1, self.cfg.threads // 4)
        self._draining = False
        self._next_heartbeat = 0.0
        # Closed by this side and not yet by the other: until when to wait for that; oldest first.
        self._parting: dict[TConn, float] = {}
        # When not to look for new connections before; since when one was left to others.
        self._look_at = 0.0
        self._left_since: float | None = None
        self._offered = False

    @property
    def nr_conns(self) -> int:
        """How many connections the worker holds."""
        return self.seat.connections

    @nr_conns.setter
    def nr_conns(self, count: int) -> None:
        self.seat.connections = count

    def init_process(self) -> None:
        """Begin in the worker's process."""
        self._settings = Settings.from_environ(os.environ)
        sys.setswitchinterval(_TURN_S)
        super().init_process()

    def notify(self) -> None:
        """Show master and siblings that the worker lives, once a second."""
        now = time.monotonic()
        if now < self._next_heartbeat:
            return
        self._next_heartbeat = now + _HEARTBEAT_S
        super().notify()
        if self.booted and self.alive and not self._draining:
            self.seat.show()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Say that the worker is not ready any more, and stop when others have noticed."""
        if not hasattr(self, "wsgi"):
            # It has not got as far as having an application.
            super().handle_exit(sig, frame)
            return
        self.wsgi.extensions["lifecycle"].drain()
        # From now on each answer says "Connection: close", so that clients which keep their
        # connections open go elsewhere, and none is on its way when the worker stops.
        self._draining = True
        self.seat.leave()
        seconds = self._settings.lame_duck_s
        threading.Timer(seconds, super().handle_exit, (sig, frame)).start()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Listen, or do not; the main loop asks at each turn, and is refused while one waits."""
        super().set_accept_enabled(enabled and time.monotonic() >= self._look_at)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what there is to do, or wait for it."""
        listening, self._offered = self._accepting, False
        pause = self._look_at - time.monotonic()
        if pause > 0:
            timeout = min(timeout, pause)
        elif listening and self._left_since is not None:
            timeout = 0  # Is the connection that was left to others still there?
        super().wait_for_and_dispatch_events(timeout)
        if listening and not self._offered:
            self._left_since = None
        now = time.monotonic()
        for conn in [conn for conn, until in self._parting.items() if until <= now]:
            self._end(conn)

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection, unless a worker with fewer will."""
        self._offered = True
        if self._should_leave_it():
            self._look_later(_STEP_S)
            return
        self._left_since = None
        if self.cfg.is_ssl or "h2" in self.cfg.http_protocols:
            # These wrap sockets, or keep them for many requests; gunicorn knows how.
            super().accept(listener)
            return
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                log(logging.ERROR, "There is no room for new connections.", error=error)
                self._look_later(_EXHAUSTED_S)
            elif error.errno not in _GONE:
                raise
            return
        client = ClientSocket(accepted, seconds=self._settings.read_timeout_s)
        self.nr_conns += 1
        self.enqueue_req(TConn(self.cfg, client, address, listener.getsockname()))

    def handle(self, conn: TConn) -> Any:
        """Handle requests of a connection; runs in a thread of the pool."""
        client = conn.sock
        if not isinstance(client, ClientSocket):
            return super().handle(conn)
        if not conn.initialized and not conn.data_ready:
            # gunicorn would wait 5 s in this thread for a client to say anything at all.
            if not self._linger(conn, client.readable):
                return _DEFER
            conn.data_ready = True
        while True:
            client.begin_request()
            kept = super().handle(conn)
            if kept is not True or not self._has_next(conn, client):
                return kept

    def handle_request(self, req: Any, conn: TConn) -> bool:
        """Handle one request, and answer it by one system call where one is enough."""
        client = conn.sock
        if self._draining:
            req.force_close()
        if not isinstance(client, ClientSocket):
            return bool(super().handle_request(req, conn))
        client.begin_answer()
        try:
            return bool(super().handle_request(req, conn))
        finally:
            client.end_answer()

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep a connection for later, or part with it; runs in the main loop."""
        if not isinstance(conn.sock, ClientSocket) or fs.cancelled() or fs.exception():
            super().finish_request(conn, fs)
        elif fs.result() is False:
            self._part(conn, conn.sock)
        elif fs.result() is _DEFER and not self.alive:
            # gunicorn would close it, though a request may be on its way.
            conn.timeout = time.monotonic() + _GRACE_S
            self.pending_conns.append(conn)
            self.poller.register(
                conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn)
            )
        else:
            super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Close connections that have been silent for too long; sooner in a worker that stops."""
        if not self.alive:
            self.seat.leave()
            latest = time.monotonic() + _GRACE_S
            for conn in self.pending_conns:
                conn.timeout = min(conn.timeout, latest)
        super().murder_pending()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer a request that never reached the application, or made it fail outright."""
        if not isinstance(exc, ParseException | ServiceError):
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

    def _has_next(self, conn: TConn, client: ClientSocket) -> bool:
        """Whether this thread goes on with the connection, whose next request has come."""
        if not self.alive or self._work_waits():
            return False
        unreader = conn.parser.unreader
        if unreader.buf.getvalue():
            return True
        data = self._linger(conn, client.next_bytes)
        if data is None:
            return False
        unreader.unread(data)
        return True

    def _linger(self, conn: TConn, wait: Callable[[bool], _T]) -> _T:
        """Return what ``wait`` does; it is told whether it may, or must only look."""
        if self._work_waits() or len(self._lingering) >= self._most_lingering:
            return wait(False)
        self._lingering.add(conn)
        try:
            return wait(True)
        finally:
            self._lingering.discard(conn)

    def _work_waits(self) -> bool:
        return not self.tpool._work_queue.empty()

    def _should_leave_it(self) -> bool:
        fewest = self.seat.fewest_of_others()
        if fewest is None:
            return False
        # With many connections a small difference is no harm, and saves waiting for each other.
        if not self._draining and self.nr_conns <= fewest + fewest // 8:
            return False
        now = time.monotonic()
        if self._left_since is None:
            self._left_since = now
        # The other may be busy or stuck; then any worker is better than none.
        return now - self._left_since < _PATIENCE_S

    def _look_later(self, seconds: float) -> None:
        self._look_at = time.monotonic() + seconds
        self.set_accept_enabled(False)

    def _part(self, conn: TConn, client: ClientSocket) -> None:
        """Close a connection in the order that loses nothing (RFC 9112, section 9.6).

        gunicorn's own way waits for the client, up to 2 s, in the main loop.
        """
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        self._parting[conn] = time.monotonic() + _GRACE_S
        self.poller.register(client, selectors.EVENT_READ, partial(self._on_parting_readable, conn))

    def _on_parting_readable(self, conn: TConn, client: ClientSocket) -> None:
        if client.discard():
            self._end(conn)

    def _end(self, conn: TConn) -> None:
        del self._parting[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()


def _error_of(exc: Exception) -> ServiceError:
    if isinstance(exc, ServiceError):
        return exc
    for kind, (status, message) in _STATUSES.items():
        if isinstance(exc, kind):
            return ServiceError(message, status=status)
    if isinstance(exc, ParseException):
        return ServiceError("The request is not well-formed HTTP.", status=400)
    return ServiceError("The service failed; its log tells more.")
