"""An event store in a file of SQLite, which all workers of a service write.

In write-ahead mode readers and the writer do not wait for one another, and a process that is
killed at any moment leaves the last whole transaction. With ``synchronous=NORMAL`` a power cut may
take the last transactions back, and nothing else.
"""

import errno
import fcntl
import os
import sqlite3
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from service.events.database import Parameters, Row, Transaction
from service.events.errors import RecordError, StoreError

# How long a writer waits for another process's transaction, which takes milliseconds.
_BUSY_S = 5.0
# The write-ahead log is cut back to this size, and is written back at so many of its pages of
# 4 KiB: what changes again until then is written back once.
_MOST_LOG_BYTES = 16 * 2**20
_LOG_PAGES = 3000
# Rows of one statement: a power of two, of which SQLite takes 2,340 with 14 columns.
_MOST_IN_ONE = 1024
# The write-ahead log, and its index, which connections share.
_BESIDE = ("-wal", "-shm")
# What people put their requests into is nobody else's to read.
_MODE = 0o600


@dataclass(slots=True)
class _Opened:
    connection: sqlite3.Connection
    identity: tuple[int, int]
    # Of the write-ahead log, as the last use has left it.
    log: tuple[int, int] | None = None


class SqliteDatabase:
    """A file of SQLite; whoever uses it has one of its connections for as long."""

    is_shared = False

    def __init__(self, path: Path, *, busy_s: float = _BUSY_S) -> None:
        """A file that is made when it is first used; its folder must be there.

        Args:
            path: the file.
            busy_s: how long to wait for another's transaction, in seconds.
        """
        self._path = path
        self._busy_s = busy_s
        # Only those of which nobody makes use now; they are closed with the database at the latest.
        self._idle: deque[_Opened] = deque()
        weakref.finalize(self, _close_all, self._idle)

    @property
    def shown(self) -> str:
        """The file's path."""
        return str(self._path)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Begin a transaction that may write; an exception takes it back."""
        with self._connection() as connection:
            try:
                # At once, since one that turns into a writing one could not wait its turn.
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise self._failure(error) from error
            try:
                yield _SqliteTransaction(connection)
                connection.execute("COMMIT")
            except BaseException as error:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise self._failure(error) from error
                raise

    def insert_new(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert many rows, in few transactions of their own, but for keys that are there."""
        # One statement gives the interpreter's lock away a few times, and must get it back from a
        # busy event loop each time; to wait for it costs more than to insert a row. So rows have no
        # statements of their own here, nor has the transaction.
        with self._connection() as connection:
            try:
                _SqliteTransaction(connection).insert_new(table, columns, rows)
            except sqlite3.Error as error:
                raise self._failure(error) from error

    def create(self, schema: Sequence[str]) -> None:
        """Run the statements that make tables, one process after the other."""
        with self.transaction() as run:
            for statement in schema:
                run.change(statement, {})

    def free_space(self) -> None:
        """Give the pages of deleted events back to the file system."""
        with self._connection() as connection:
            try:
                # As a script, because ``execute`` frees one page a call.
                connection.executescript("PRAGMA incremental_vacuum")
            except sqlite3.Error as error:
                raise self._failure(error) from error

    def close(self) -> None:
        """Close the connections that nobody uses."""
        _close_all(self._idle)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection to the file that is there now.

        Raises:
            StoreError: the file cannot be opened.
        """
        try:
            opened = self._reused() or self._open()
        except (sqlite3.Error, OSError) as error:
            raise self._failure(error) from error
        try:
            yield opened.connection
        finally:
            self._note_log(opened)
            self._idle.append(opened)

    def _reused(self) -> _Opened | None:
        with suppress(IndexError):
            while True:
                opened = self._idle.pop()
                with suppress(OSError):
                    if _identity(self._path) == opened.identity:
                        return opened
                    self._remove_log_of(opened)
                # Somebody has removed or replaced the file: what is written would go nowhere.
                opened.connection.close()
        return None

    def _note_log(self, opened: _Opened) -> None:
        """Note which file is the log, unless another database is in place of the opened one."""
        with suppress(OSError):
            log = _identity(self._beside("-wal"))
            # In this order: who finds another database makes the log anew.
            if _identity(self._path) == opened.identity:
                opened.log = log

    def _remove_log_of(self, opened: _Opened) -> None:
        """Remove the log that belongs to a file in whose place there is another one.

        As after a backup was put back while services run: what is in the log would be written over
        the other file. Whoever comes first does it; the log that is there later is the new one's,
        and is another file, because the connection still holds the old one.

        Raises:
            OSError: there is none, or the folder is not to be written.
        """
        with self._folder_locked():
            if _identity(self._beside("-wal")) == opened.log:
                for ending in _BESIDE:
                    self._beside(ending).unlink(missing_ok=True)

    def _open(self) -> _Opened:
        if self._path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "Is a directory")
        if not self._path.exists():
            self._make_file()
        # Transactions begin and end where this class says, and one thread uses it after the other.
        connection = sqlite3.connect(
            self._path, timeout=self._busy_s, isolation_level=None, check_same_thread=False
        )
        try:
            # Before there is a table; later it has no effect.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA journal_size_limit={_MOST_LOG_BYTES}")
            connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
            return _Opened(connection, _identity(self._path))
        except BaseException:
            connection.close()
            raise

    def _make_file(self) -> None:
        """Make the file, for whoever comes first, without what is left of one before it.

        Somebody may have taken that away alone. Its log would be read as the new file's, and while
        an idle process holds it, nobody could use the new file.

        Raises:
            OSError: the folder is missing, or is not to be written.
        """
        with self._folder_locked():
            if self._path.exists():
                return
            for ending in _BESIDE:
                self._beside(ending).unlink(missing_ok=True)
            # Never one that is there: to close it would take back the locks by which SQLite's other
            # connections of this process hold it, and another process would remove their log.
            with suppress(FileExistsError):
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                os.close(os.open(self._path, flags, _MODE))

    @contextmanager
    def _folder_locked(self) -> Iterator[None]:
        """Exclude others that make or remove files here."""
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _beside(self, ending: str) -> Path:
        return self._path.with_name(self._path.name + ending)

    def _failure(self, error: Exception) -> StoreError:
        if isinstance(error, sqlite3.DataError | sqlite3.IntegrityError):
            return RecordError(f"{self._path} refuses a record: {error}.")
        if isinstance(error, OSError):
            return StoreError(f"{self._path} cannot be opened: {error.strerror or error}.")
        # What SQLite says when the file cannot be made or a page cannot be written.
        return StoreError(f"{self._path} cannot be used: {error}.")


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: Parameters) -> Sequence[Row]:
        found: list[Any] = self._connection.execute(statement, dict(parameters)).fetchall()
        return found

    def change(self, statement: str, parameters: Parameters) -> int:
        return self._connection.execute(statement, dict(parameters)).rowcount

    def change_all(self, statement: str, parameters: Sequence[Parameters]) -> None:
        self._connection.executemany(statement, [dict(each) for each in parameters])

    def insert_new(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        for start in range(0, len(rows), _MOST_IN_ONE):
            part = rows[start : start + _MOST_IN_ONE]
            # Of few lengths, whose statements stay prepared: the first row again has no effect.
            more = (1 << (len(part) - 1).bit_length()) - len(part)
            places = ", ".join(["(" + ", ".join("?" * len(columns)) + ")"] * (len(part) + more))
            self._connection.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES {places} "
                "ON CONFLICT DO NOTHING",
                list(chain.from_iterable((*part, *[part[0]] * more))),
            )


def _close_all(idle: deque[_Opened]) -> None:
    with suppress(IndexError):
        while True:
            idle.pop().connection.close()


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
