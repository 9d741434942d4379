"""A PostgreSQL of one's own, of Debian's package, on a socket in a folder."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_BIN = "/usr/lib/postgresql"


class Postgres:
    """A server that a test may stop and start again.

    Attributes:
        url: of its database, for SQLAlchemy.
    """

    def __init__(self, folder: Path, programs: Path, user: str | None) -> None:
        """Make a cluster in ``folder``, which the server's user must own.

        Args:
            folder: holds its data, its socket and its log.
            programs: where PostgreSQL's programs are.
            user: who runs them; this user unless given.
        """
        self._folder, self._programs, self._user = folder, programs, user
        self.url = f"postgresql+psycopg://understudy@/postgres?host={folder}"
        self._run("initdb", "-D", "data", "-U", "understudy", "-A", "trust", "--no-sync")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-c listen_addresses= -c unix_socket_directories={self._folder} -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once, as a crash would."""
        self._run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop", check=False)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self._folder,
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=check,
        )


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL; tests are skipped where it, or its driver, is not installed."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = sorted(Path(_BIN).glob("*/bin/pg_ctl")) if Path(_BIN).is_dir() else []
    if not found:
        pytest.skip("there is no PostgreSQL; Debian's package is called so")
    user = None
    if os.getuid() == 0:
        # It does not run as root.
        user = next(
            (u.pw_name for u in pwd.getpwall() if u.pw_name in ("postgres", "nobody")), None
        )
    # Not in pytest's folder, which other users may not enter; and a socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if user is not None:
        shutil.chown(folder, user)
    server = Postgres(folder, found[-1].parent, user)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def postgres_url(postgres: Postgres) -> str:
    """The URL of a running PostgreSQL."""
    return postgres.url
