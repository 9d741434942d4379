"""Where the service listens for gRPC: the master does, and its workers share that.

What it relies on, as of gunicorn 27.0: that the arbiter's ``LISTENERS`` are handed on to workers,
and to a process that takes its place, and closed when it stops; and that ``TCPSocket`` listens.
"""

import socket
from typing import Any

from gunicorn.sock import TCP6Socket, TCPSocket

from service.settings.settings import Settings


def listen_for_grpc(master: Any, settings: Settings) -> None:
    """Let gunicorn's master listen for gRPC as well, unless it does already.

    So it closes and hands on that listener as its others, and clients that connect while no worker
    is ready wait instead of being refused.

    Args:
        master: gunicorn's arbiter, which has no workers yet.
        settings: the service's.

    Raises:
        OSError: the address cannot be listened on.
    """
    if not settings.grpc_port or any(
        is_grpc_listener(listener.sock, settings) for listener in master.LISTENERS
    ):
        return
    kind = TCP6Socket if ":" in settings.host else TCPSocket
    listener = kind((settings.host, settings.grpc_port), master.cfg, master.log)
    master.LISTENERS.append(listener)


def is_grpc_listener(listener: socket.socket, settings: Settings) -> bool:
    """Whether a socket listens for gRPC, and not for HTTP."""
    address = listener.getsockname()
    return isinstance(address, tuple) and address[1] == settings.grpc_port
