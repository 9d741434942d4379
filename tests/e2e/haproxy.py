"""HAProxy with the configuration that ``deploy/replicas`` has, as a process of its own."""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.waiting import eventually

# Debian's package puts it where not everybody's PATH leads.
_PLACES = ("haproxy", "/usr/sbin/haproxy")


def found_haproxy() -> str | None:
    """Return the program; ``None`` where there is none."""
    return next(filter(None, map(shutil.which, _PLACES)), None)


def configuration(repository_root: Path, port: int, replicas: Sequence[int]) -> str:
    """Return ``deploy/replicas/haproxy.cfg`` with ports of this machine for its addresses."""
    text = (repository_root / "deploy" / "replicas" / "haproxy.cfg").read_text()
    places = {"bind :8501": f"bind 127.0.0.1:{port}"}
    for number, own in enumerate(replicas, 1):
        places[f"replica-{number}:8501"] = f"127.0.0.1:{own}"
    for there, here in places.items():
        assert text.count(there) == 1, there
        text = text.replace(there, here)
    return text


@contextlib.contextmanager
def haproxy(program: str, configured: Path, port: int) -> Iterator[None]:
    """Run it with a file of configuration until the block ends, and see that it listens."""
    process = subprocess.Popen([program, "-db", "-f", str(configured)])
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
