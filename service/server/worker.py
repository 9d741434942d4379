"""gunicorn's ASGI worker, with connections spread, bounded and ended in order.

What it relies on, as of gunicorn 27.0, beside the methods of ``gunicorn.workers.base.Worker``: of
``ASGIWorker`` ``loop``, ``sockets``, ``asgi`` and ``_get_ssl_context``; that
``run`` awaits ``_serve``; and that signals call ``handle_exit_signal`` and ``handle_quit_signal``.
"""

import asyncio
import os
import resource
import socket
import sys
from collections.abc import Callable
from email.utils import formatdate
from functools import partial
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.sock import ssl_context
from gunicorn.workers.gasgi import ASGIWorker

from service.api.http.body_budget import BodyBudget
from service.api.inference.prediction_loop import PredictionLoop
from service.asgi import Application
from service.grpc.server import GrpcServer
from service.server.connection_acceptor import Acceptor
from service.server.connection_balancing import CONNECTION_COUNTS
from service.server.full_http_protocol import FullHttpProtocol
from service.server.graceful_shutdown import GracefulShutdown
from service.server.grpc_listener import is_grpc_listener
from service.server.open_connections import OpenConnections
from service.server.open_handshakes import OpenHandshakes
from service.server.prediction_protocol import PredictionProtocol
from service.server.process_exit import take_signals
from service.server.request_heads import HeadReader
from service.server.tls_contexts import TLS_CONTEXTS
from service.settings.process_settings import process_settings

_HEARTBEAT_S = 1.0
# How long a thread may keep Python's lock when others want it: a fifth of Python's own, so that
# a thread that answers a probe has its turn while the loop predicts.
_SWITCH_INTERVAL_S = 0.001
# File descriptors that do not belong to clients, where there are many.
_OWN_FILES = 256
_ENOUGH_FILES = 65_536


class QuietLogger(Logger):
    """gunicorn's logger, which builds no access log unless it is asked for one.

    With ``logconfig_dict`` set, gunicorn's own builds the parts of a line for each request. The
    service has an access log itself.
    """

    @property
    def access_log_enabled(self) -> bool:
        """Whether ``--access-logfile`` is given."""
        return bool(self.cfg.accesslog)


class Worker(ASGIWorker):
    """One process: an event loop that answers predictions, and threads for all else.

    Attributes:
        connections: those it holds.
        predictions: answers predictions on the loop.
        heads: reads their heads.
        budget: bounds the bytes of bodies under way.
        is_draining: whether each answer ends its connection, since the worker is about to stop.
        date: the time, as ``Date`` has it, to the second.
        max_body_bytes: the most bytes of a body.
        read_timeout_s: seconds to send a request in, or to take an answer.
        keep_alive_s: seconds that an idle connection is kept.
    """

    asgi: Application
    loop: asyncio.AbstractEventLoop
    connections: OpenConnections
    predictions: PredictionLoop
    heads: HeadReader
    budget: BodyBudget

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """A worker that is about to be forked; this runs in the master."""
        self.connection_count = CONNECTION_COUNTS.take()
        super().__init__(*args, **kwargs)
        self.is_draining = False
        self.date = ""

    @property
    def is_stopping(self) -> bool:
        """Whether the worker has been asked to stop."""
        return self.is_draining or not self.alive

    @property
    def nr_conns(self) -> int:
        """How many connections the worker holds."""
        return self.connection_count.connections

    @nr_conns.setter
    def nr_conns(self, count: int) -> None:
        # gunicorn's protocols count themselves; the connections are counted by ``OpenConnections``.
        del count

    def init_process(self) -> None:
        """Begin in the worker's process."""
        settings = process_settings()
        self.max_body_bytes = settings.max_body_bytes
        self.read_timeout_s = settings.read_timeout_s
        self.keep_alive_s = float(self.cfg.keepalive)
        self._shutdown = GracefulShutdown(
            self,
            lame_duck_s=settings.lame_duck_s,
            drain_s=self.cfg.graceful_timeout,
            on_begin=lambda: self.asgi.flask.extensions["lifecycle"].drain(),
        )
        most = min(self.cfg.worker_connections, _for_clients(_most_files()))
        self.connections = OpenConnections(most, self.connection_count)
        self._handshakes = OpenHandshakes(most, self.connection_count, settings.read_timeout_s)
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        super().init_process()

    def handle_exit_signal(self) -> None:
        """Stop in order; see ``GracefulShutdown``."""
        # ``alive`` stays as it is: gunicorn's protocol would close connections unannounced.
        self._shutdown.begin()

    def handle_quit_signal(self) -> None:
        """Stop at once."""
        super().handle_quit_signal()
        self._shutdown.hurry()

    async def _serve(self) -> None:
        """Answer requests until the worker is to stop."""
        # Held back since the models were loaded: a signal that comes while no loop runs is lost.
        take_signals()
        if self._shutdown.is_due:
            # Asked to stop while its models were loaded: who waits is for other workers to answer.
            return
        self.date = formatdate(usegmt=True)
        self.predictions = self.asgi.predictions()
        self.budget = self.asgi.budget
        self.heads = HeadReader(self.asgi.route)
        grpc = self._grpc_server()
        self._shutdown.take([self._acceptor(listener.sock, grpc) for listener in self.sockets])
        while self.alive and not self._shutdown.is_due and self.ppid == os.getppid():
            self._show_life()
            await self._shutdown.wait(_HEARTBEAT_S)
        if grpc is not None:
            grpc.leave()
        await self._shutdown.drain()
        self.predictions.close()

    def _grpc_server(self) -> GrpcServer | None:
        """Return what answers gRPC, if there is to be something."""
        settings = process_settings()
        if not settings.grpc_port:
            return None
        extensions = self.asgi.flask.extensions
        return GrpcServer(
            self.predictions,
            extensions["predictions"].access,
            self.budget,
            extensions["lifecycle"],
            extensions["store"],
            extensions["metrics"],
            settings,
            self.connections,
        )

    def _acceptor(self, listener: socket.socket, grpc: GrpcServer | None) -> Acceptor:
        """Take the connections of a listener, each with the protocol of its port."""
        make: Callable[[], asyncio.Protocol]
        if grpc is not None and is_grpc_listener(listener, process_settings()):
            make, tls = grpc.make_connection, TLS_CONTEXTS.grpc
        else:
            make = partial(FullHttpProtocol if self.cfg.is_ssl else PredictionProtocol, self)
            tls = TLS_CONTEXTS.http
        if tls is None and self.cfg.is_ssl:
            # By gunicorn's own options. Where they fail, its method would go on without TLS.
            tls = ssl_context(self.cfg)
        handshakes = None if tls is None else self._handshakes
        return Acceptor(self.loop, listener, self.connection_count, make, tls, handshakes)

    def _show_life(self) -> None:
        """Show master and siblings that the worker lives, and end connections that are too slow."""
        self.notify()
        self.date = formatdate(usegmt=True)
        now = self.loop.time()
        for connection in self.connections:
            connection.check_time(now)
        gauge = self.asgi.flask.extensions["metrics"].connections
        gauge.labels(self.pid).set(len(self.connections))
        if not self.is_draining:
            self.connection_count.show()


def _for_clients(files: int) -> int:
    """Return how many of a process's open files may be connections; where few may be open, half."""
    return max(files - _OWN_FILES, files // 2)


def _most_files() -> int:
    """Raise the process's limit of open files as far as it may, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH_FILES)
    while soft != resource.RLIM_INFINITY and soft < most:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        except (ValueError, OSError):
            most //= 2  # macOS names no bound, and has one.
        else:
            return most
    return most if soft == resource.RLIM_INFINITY else soft
