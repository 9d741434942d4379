"""Accepts new connections, spread over the workers."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable

from service.monitoring.logs import log
from service.server.connection_balancing import ConnectionBalancer, ConnectionCount
from service.server.open_handshakes import OpenHandshakes

# How soon to look again for a connection that was left to another worker.
_STEP_S = 0.001
# When there are no file descriptors left, or no memory for a connection.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_EXHAUSTED_S = 1.0
_GONE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED)
# Connections taken in one turn of the loop, so that those who ask are not kept waiting.
_AT_ONCE = 64


class Acceptor:
    """Accepts the connections of one listening socket, on the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        count: ConnectionCount,
        make_protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None = None,
        handshakes: OpenHandshakes | None = None,
    ) -> None:
        """An acceptor that begins at once.

        Args:
            loop: the loop.
            listener: listens already; it may be shared with other processes.
            count: shows the other workers how many connections this one holds.
            make_protocol: makes the protocol of a connection.
            tls: wraps connections, if they are encrypted.
            handshakes: those of the worker, where connections are encrypted.
        """
        self._loop = loop
        self._listener = listener
        self._count = count
        self._make_protocol = make_protocol
        self._tls = tls
        self._handshakes = handshakes
        self._balancer = ConnectionBalancer(count)
        self._is_leaving = False
        self._has_stopped = False
        self._tasks: set[asyncio.Task[None]] = set()
        listener.setblocking(False)
        self._watch()

    def leave_to_others(self) -> None:
        """From now on take only connections that no other worker takes."""
        self._is_leaving = True

    def stop(self) -> None:
        """Accept the connections that wait already, and no more.

        The listener is closed, so that where no other process has it a client is refused at once,
        and knows that its request was not read.
        """
        self._has_stopped = True
        self._loop.remove_reader(self._listener)
        while self._take():
            pass
        self._listener.close()

    @property
    def is_connecting(self) -> bool:
        """Whether connections have been taken that have no protocol yet."""
        return bool(self._tasks)

    def _watch(self) -> None:
        self._loop.add_reader(self._listener, self._on_readable)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        # What is taken after the last look for connections would get no answer.
        if not self._has_stopped and self._listener.fileno() >= 0:
            self._watch()

    def _on_readable(self) -> None:
        for _ in range(_AT_ONCE):
            if self._balancer.leaves_it(stopping=self._is_leaving):
                self._pause(_STEP_S)
                return
            self._balancer.forget()
            if not self._take():
                return

    def _take(self) -> bool:
        """Take one connection; whether there was one."""
        try:
            accepted, _ = self._listener.accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                log(logging.ERROR, "There is no room for new connections.", error=error)
                self._pause(_EXHAUSTED_S)
            elif error.errno not in _GONE:
                raise
            return False
        accepted.setblocking(False)
        if accepted.family in (socket.AF_INET, socket.AF_INET6):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._count.connections += 1
        task = self._loop.create_task(self._connect(accepted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _connect(self, accepted: socket.socket) -> None:
        handshakes = self._handshakes
        if handshakes is not None:
            handshakes.add(accepted)
        try:
            await self._loop.connect_accepted_socket(
                self._make_protocol,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=handshakes.timeout_s if handshakes else None,
            )
        except (OSError, ssl.SSLError):
            accepted.close()  # The client left, was too slow, or spoke no TLS.
            self._count.connections -= 1
        finally:
            if handshakes is not None:
                handshakes.remove(accepted)
