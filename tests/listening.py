"""Servers of others, as processes that listen on a port."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator, Sequence

from tests.waiting import eventually


@contextlib.contextmanager
def listening(command: Sequence[str], port: int) -> Iterator[None]:
    """Run a server until the block ends, and see first that it listens.

    Args:
        command: the program, with its arguments.
        port: on which it listens, of this machine.
    """
    process = subprocess.Popen(command)
    try:

        def listens() -> bool:
            assert process.poll() is None
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                return True
            return False

        eventually(listens)
        yield
    finally:
        process.terminate()
        process.wait()
