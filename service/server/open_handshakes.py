"""The TLS handshakes of a worker that have not ended: connections that no protocol holds yet.

Who sends nothing, or reads nothing, leaves one open, and needs no certificate for that. Unbounded,
they would take the file descriptors that the worker needs for itself.
"""

import contextlib
import itertools
import socket

from service.server.connection_balancing import ConnectionCount

# Of the connections that a worker may hold, the part that goes when there is one too many.
_ENDED_PART = 100


class OpenHandshakes:
    """The handshakes of one worker, on all ports.

    Attributes:
        timeout_s: seconds in which each must end.
    """

    def __init__(self, most: int, count: ConnectionCount, timeout_s: float) -> None:
        """A worker without handshakes.

        Args:
            most: how many connections the worker holds, in a handshake or not, before handshakes
                have to go.
            count: says how many there are.
            timeout_s: as the attribute.
        """
        self.timeout_s = timeout_s
        self._most = most
        self._count = count
        # In the order of their coming, as a set would not be.
        self._open: dict[socket.socket, None] = {}
        # Those that were told to, and that the count still has.
        self._ending: set[socket.socket] = set()

    def add(self, accepted: socket.socket) -> None:
        """Note that a handshake begins; when there are too many connections, the oldest end."""
        if self._count.connections - len(self._ending) > self._most:
            some = max(1, self._most // _ENDED_PART)
            for oldest in tuple(itertools.islice(self._open, some)):
                del self._open[oldest]
                self._ending.add(oldest)
                # To the loop it is as if the client had left.
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
        self._open[accepted] = None

    def remove(self, accepted: socket.socket) -> None:
        """Note that a handshake has ended, in whatever way."""
        self._open.pop(accepted, None)
        self._ending.discard(accepted)
