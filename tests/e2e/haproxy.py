"""HAProxy with the configuration that ``deploy/replicas`` has, as a process of its own."""

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.listening import listening

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


def haproxy(program: str, configured: Path, port: int) -> AbstractContextManager[None]:
    """Run it with a file of configuration until the block ends, and see that it listens."""
    return listening([program, "-db", "-f", str(configured)], port)
