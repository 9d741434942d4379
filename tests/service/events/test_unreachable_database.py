"""A PostgreSQL that is gone, of which a server that says nothing is the worst case."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from service.events.database import Database
from service.events.errors import StoreError
from service.events.event_store_location import open_database
from tests.service.events.postgres import postgres, postgres_url
from tests.waiting import eventually

__all__ = ["postgres", "postgres_url"]


class Silence:
    """A server that accepts connections; it closes them, or says nothing.

    Attributes:
        address: where it listens.
        accepted: how many it has accepted.
        held: those that it leaves open.
        says_nothing: whether it leaves them open.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self.accepted = 0
        self.held: list[socket.socket] = []
        self.says_nothing = False
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                if self.says_nothing:
                    self.held.append(connection)
                else:
                    connection.close()

    def let_go(self) -> None:
        """Close what is left open, and what comes."""
        self.says_nothing = False
        for connection in self.held:
            connection.close()

    def end(self) -> None:
        """Listen no more."""
        self.let_go()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def silence() -> Iterator[Silence]:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    server = Silence()
    yield server
    server.end()


def _database(server: Silence) -> Database:
    host, port = server.address
    return open_database(f"postgresql+psycopg://me@{host}:{port}/events?sslmode=disable")


def _fails(database: Database) -> bool:
    with suppress(StoreError), database.transaction():
        return False
    return True


def _try(database: Database, server: Silence) -> threading.Thread:
    """Begin a transaction on a thread, and wait until the server holds its connection."""
    server.says_nothing = True
    thread = threading.Thread(target=_fails, args=(database,))
    thread.start()
    eventually(lambda: server.held)
    return thread


def test_one_tries_while_it_is_away_and_the_others_do_not_wait(silence: Silence) -> None:
    database = _database(silence)
    assert _fails(database)
    trying = _try(database, silence)
    try:
        before = silence.accepted
        assert _fails(database)
        assert silence.accepted == before
    finally:
        silence.let_go()
        trying.join()
    assert _fails(database)
    assert silence.accepted > before, "Its turn was given back."


def test_all_may_try_again_once_one_has_reached_it(postgres_url: str) -> None:
    database: Any = open_database(postgres_url)
    with closing(database):
        database._problem = "It was away."
        with database.transaction():
            pass
        with database.transaction(), database.transaction() as run:
            assert run.rows("SELECT 1", {}) == [(1,)]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="it is Linux that has it")
def test_a_connection_whose_other_end_is_gone_ends_in_seconds(silence: Silence) -> None:
    trying = _try(_database(silence), silence)
    try:
        options = _options_of_client(silence)
    finally:
        silence.let_go()
        trying.join()
    assert 0 < options["unacknowledged, ms"] <= 20_000
    assert options["is probed"] == 1
    assert 0 < options["until it counts as dead, s"] <= 30


def test_what_the_url_says_of_a_connection_counts(postgres_url: str) -> None:
    asked = "&options=-csearch_path%3Dother%20-c%20work_mem%3D5MB"
    with (
        closing(open_database(postgres_url + asked)) as database,
        database.transaction() as run,
    ):
        shown = {name: run.rows(f"SHOW {name}", {})[0][0] for name in _SHOWN}
    assert shown == {"search_path": "other", "work_mem": "5MB", "statement_timeout": "30s"}


_SHOWN = ("search_path", "work_mem", "statement_timeout")


def test_so_does_its_own_limit_of_a_statement(postgres_url: str) -> None:
    asked = "&options=-c%20statement_timeout%3D7s&connect_timeout=3"
    with (
        closing(open_database(postgres_url + asked)) as database,
        database.transaction() as run,
    ):
        assert run.rows("SHOW statement_timeout", {}) == [("7s",)]


def _options_of_client(server: Silence) -> dict[str, int]:
    """Return what this process has set of the connection that the server holds."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError), socket.socket(fileno=os.dup(int(name))) as client:
            if client.getpeername() == server.address:
                tcp = [
                    client.getsockopt(socket.IPPROTO_TCP, option)
                    for option in (
                        socket.TCP_USER_TIMEOUT,
                        socket.TCP_KEEPIDLE,
                        socket.TCP_KEEPINTVL,
                        socket.TCP_KEEPCNT,
                    )
                ]
                return {
                    "unacknowledged, ms": tcp[0],
                    "is probed": client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                    "until it counts as dead, s": tcp[1] + tcp[2] * tcp[3],
                }
    raise AssertionError("There is no such connection.")
