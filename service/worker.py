"""gunicorn's threaded worker: cheaper, fairer, and with the service's JSON where it answers itself.

What it relies on, as of gunicorn 27.0: the methods of ``ThreadWorker`` that it overrides; that
``handle`` serves one request and returns whether the connection goes on; that sockets are read
by ``recv`` and written by ``sendall``, head and body of an answer apart, and ``100 Continue`` by
``send``; ``parser.unreader``, and that the parser reads no more from the socket for a head that is
whole there; ``Request._expected_100_continue``.
"""

import contextlib
import errno
import logging
import math
import os
import selectors
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker

from service.client_socket import ClientSocket
from service.errors import ServiceError
from service.heads import Head, read_head
from service.logs import log
from service.seats import SEATS, Patience
from service.server_errors import is_foreseen, response_to
from service.settings import Settings
from service.waiting import Waiting

_HEARTBEAT_S = 1.0
# How long a thread may keep Python's lock when others want it. A fifth of Python's own: a thread
# that answers a probe needs many turns where dozens predict.
_TURN_S = 0.001
# How long a client may take to close a connection that this side has closed; and to send its
# first request to a worker that stops.
_GRACE_S = 2.0
# How soon to look again for a connection that was left to another worker.
_STEP_S = 0.001
# Of a body that nobody has read: what gunicorn still reads before the next request.
_MOST_LEFT = 64 * 1024
# When there are no file descriptors left, or no memory for a connection.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_EXHAUSTED_S = 1.0
_GONE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED)


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
    to close its side. What comes slowly before a request's head is whole it collects itself, so
    that it holds no thread.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take a seat beside the other workers; this runs in the master, before the fork."""
        self.seat = SEATS.take()
        super().__init__(*args, **kwargs)
        self._lingering: set[TConn] = set()
        # Some threads are always left to take what comes meanwhile.
        self._most_lingering = self.cfg.threads - max(1, self.cfg.threads // 4)
        self._draining = False
        # When a worker that was asked to stop does.
        self._stop_at = math.inf
        self._next_heartbeat = 0.0
        self._patience = Patience(self.seat)
        # When not to look for new connections before; whether there was one.
        self._look_at = 0.0
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
        # The pause before it begins is not part of it, as it is for the master.
        self.cfg.set("graceful_timeout", math.ceil(self._settings.drain_s))
        super().init_process()

    def run(self) -> None:
        """Run the main loop."""
        # Closed by this side and not yet by the other; and those whose head has come in part.
        self._parting = Waiting(self.poller, seconds=_GRACE_S)
        self._half_heads = Waiting(self.poller, seconds=self._settings.read_timeout_s)
        super().run()

    def notify(self) -> None:
        """Show master and siblings that the worker lives, once a second."""
        now = time.monotonic()
        if now >= self._stop_at:
            self.alive = False
        if now < self._next_heartbeat:
            return
        self._next_heartbeat = now + _HEARTBEAT_S
        super().notify()
        if self.booted:
            self.wsgi.extensions["metrics"].connections.labels(self.pid).set(self.nr_conns)
        if self.booted and self.alive and not self._draining:
            self.seat.show()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Say that the worker is not ready any more, and stop when others have noticed.

        Like ``handle_quit`` it comes between any two steps of the main loop, so it takes no lock.
        """
        if not hasattr(self, "wsgi"):
            # It has not got as far as having an application.
            super().handle_exit(sig, frame)
            return
        self.wsgi.extensions["lifecycle"].drain()
        # From now on each answer says "Connection: close", so that clients which keep their
        # connections open go elsewhere, and none is on its way when the worker stops.
        self._draining = True
        self.seat.leave()
        self._stop_at = min(self._stop_at, time.monotonic() + self._settings.lame_duck_s)
        self.method_queue.defer(lambda: None)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """End at once; what runs is broken off.

        gunicorn's own way takes the thread pool's lock, which the main loop may hold.
        """
        os._exit(0)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Listen, or do not; the main loop asks at each turn, and is refused while one waits."""
        super().set_accept_enabled(enabled and time.monotonic() >= self._look_at)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what there is to do, or wait for it."""
        listening, self._offered = self._accepting, False
        if self.alive:
            timeout = min(timeout, max(0.0, self._stop_at - time.monotonic()))
        pause = self._look_at - time.monotonic()
        if pause > 0:
            timeout = min(timeout, pause)
        elif listening and self._patience.has_left_one:
            timeout = 0  # Is the connection that was left to others still there?
        super().wait_for_and_dispatch_events(timeout)
        if listening and not self._offered:
            self._patience.forget()
        for conn in self._parting.overdue():
            self._end(conn)
        for conn in self._half_heads.overdue():
            self._half_heads.remove(conn)
            late = ServiceError("The request did not come in time.", status=408)
            self._refuse(conn, conn.sock, late)

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection, unless a worker with fewer will."""
        self._offered = True
        if self._patience.leaves_it(stopping=self._draining):
            self._look_later(_STEP_S)
            return
        self._patience.forget()
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
        # gunicorn would wait 5 s in this thread for a client to say anything at all.
        conn.init()
        kept = _DEFER
        while True:
            head = self._linger(conn)
            if head is Head.PART:
                # Often the packet after it brings the rest.
                head = self._linger(conn)
            if head is Head.NOTHING:
                return kept
            if head is not Head.WHOLE:
                return head
            kept = super().handle(conn)
            if kept is not True or not self.alive or self._work_waits():
                return kept

    def handle_request(self, req: Any, conn: TConn) -> bool:
        """Handle one request, and answer it by one system call where one is enough."""
        client = conn.sock
        if self._draining:
            req.force_close()
        if not isinstance(client, ClientSocket):
            return bool(super().handle_request(req, conn))
        client.begin_answer()
        # Chunks have no length.
        if getattr(req.body.reader, "length", math.inf) > _MOST_LEFT or req._expected_100_continue:
            req.should_close = partial(_should_close, req, client, req.should_close)
        try:
            return bool(super().handle_request(req, conn))
        finally:
            client.end_answer()

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        """Keep a connection for later, or part with it; runs in the main loop."""
        if not isinstance(conn.sock, ClientSocket) or fs.cancelled() or fs.exception():
            super().finish_request(conn, fs)
        elif isinstance(fs.result(), Head):
            self._go_on_with_head(conn, conn.sock, fs.result())
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
        if not is_foreseen(exc):
            self.log.exception("A request failed outside the application.")
        try:
            write_nonblock(client, response_to(exc))
        except OSError:
            self.log.debug("A client left before it was told of its error.")

    def _read_head(self, conn: TConn, *, wait: bool) -> Head:
        return read_head(conn.sock, conn.parser.unreader, self.cfg.limit_request_line, wait)

    def _linger(self, conn: TConn) -> Head:
        """Take in what has come of a head, or comes in some milliseconds if there is the time."""
        if self._work_waits() or len(self._lingering) >= self._most_lingering:
            return self._read_head(conn, wait=False)
        self._lingering.add(conn)
        try:
            return self._read_head(conn, wait=True)
        finally:
            self._lingering.discard(conn)

    def _work_waits(self) -> bool:
        return not self.tpool._work_queue.empty()

    def _look_later(self, seconds: float) -> None:
        self._look_at = time.monotonic() + seconds
        self.set_accept_enabled(False)

    def _go_on_with_head(self, conn: TConn, client: ClientSocket, head: Head) -> None:
        """Do what a head that a thread has left asks for; runs in the main loop."""
        if head is Head.PART:
            self._half_heads.add(conn, self._on_half_head_readable)
        elif head is Head.TOO_LARGE:
            self._refuse(conn, client, LimitRequestHeaders("more than 64 KiB"))
        else:
            self._part(conn, client)

    def _on_half_head_readable(self, conn: TConn) -> None:
        head = self._read_head(conn, wait=False)
        if head is Head.PART:
            return
        self._half_heads.remove(conn)
        if head is Head.WHOLE:
            self.enqueue_req(conn)
        else:
            self._go_on_with_head(conn, conn.sock, head)

    def _refuse(self, conn: TConn, client: ClientSocket, error: Exception) -> None:
        self.handle_error(None, client, conn.client, error)
        self._part(conn, client)

    def _part(self, conn: TConn, client: ClientSocket) -> None:
        """Close a connection in the order that loses nothing (RFC 9112, section 9.6).

        gunicorn's own way waits for the client, up to 2 s, in the main loop.
        """
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        self._parting.add(conn, self._on_parting_readable)

    def _on_parting_readable(self, conn: TConn) -> None:
        if conn.sock.discard():
            self._end(conn)

    def _end(self, conn: TConn) -> None:
        self._parting.remove(conn)
        self.nr_conns -= 1
        conn.close()


def _should_close(req: Any, client: ClientSocket, wants_to: Callable[[], bool]) -> bool:
    """Whether the connection ends with this answer; asked when the application is done.

    It does when so much of the body is still to come that gunicorn would not read it to its end:
    only a client that is told so does not send its next request after it. And it does when the
    client may wait to be told to send a body, and never will.
    """
    reader = req.body.reader
    left = getattr(reader, "length", 0)
    in_chunks = getattr(reader, "parser", None) is not None
    most = 0 if client.holds_go_on else _MOST_LEFT
    return wants_to() or in_chunks or left > most
