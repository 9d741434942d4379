"""An event store in PostgreSQL, through SQLAlchemy."""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from service.events.database import Parameters, Row, Transaction
from service.events.errors import RecordError, StoreError

# Any number, as long as all processes lock the same.
_SCHEMA_LOCK = 7_370_461_993
# A server that is gone must not keep a writer for the minutes that TCP takes: neither while it
# connects, nor when what it sends is not acknowledged, nor while it waits for an answer.
_OF_CONNECTIONS = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
_MAKES = re.compile(r"CREATE (?:UNIQUE )?(?:TABLE|INDEX) IF NOT EXISTS (\w+)")
_STATEMENT_TIMEOUT = "-c statement_timeout=30s"


class SqlDatabase:
    """A database of SQLAlchemy's; each transaction takes a connection of its pool."""

    is_shared = True

    def __init__(self, url: URL) -> None:
        """A database that nothing connects to yet.

        Args:
            url: of PostgreSQL, such as ``postgresql+psycopg://user:password@host/database``.

        Raises:
            StoreError: the driver that the URL names is not installed.
        """
        self._url = url
        # Why the last transaction could not reach the database, if it could not.
        self._problem: str | None = None
        self._trying = threading.Lock()
        try:
            self._engine = create_engine(
                url,
                # A connection that the server has closed is replaced before it is used.
                pool_pre_ping=True,
                connect_args=_connect_arguments(url),
            )
        except (SQLAlchemyError, ImportError) as error:
            raise StoreError(f"{self.shown} cannot be used: {_first_line(error)}") from error

    @property
    def shown(self) -> str:
        """The URL without its password."""
        return self._url.render_as_string(hide_password=True)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Begin a transaction that may write; an exception takes it back."""
        try:
            with self._turn(), self._engine.begin() as connection:
                yield _SqlTransaction(connection)
                self._problem = None
        except (DataError, IntegrityError) as error:
            raise RecordError(f"{self.shown} refuses a record: {_first_line(error)}") from error
        except SQLAlchemyError as error:
            problem = f"{self.shown} cannot be used: {_first_line(error)}"
            if isinstance(error, (OperationalError, PoolTimeoutError)):
                self._problem = problem
            raise StoreError(problem) from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one thread at a time try while the database cannot be reached.

        Each that tries waits for seconds, and the others would wait in a line that only grows.

        Raises:
            StoreError: another one is trying.
        """
        if (problem := self._problem) is None:
            yield
            return
        if not self._trying.acquire(blocking=False):
            raise StoreError(problem)
        try:
            yield
        finally:
            self._trying.release()

    def insert_new(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert many rows, in a transaction of their own, but for keys that are there."""
        with self.transaction() as run:
            run.insert_new(table, columns, rows)

    def create(self, schema: Sequence[str]) -> None:
        """Run the statements that make tables, one process after the other."""
        with self.transaction() as run:
            # Two that create a table at the same moment would fail although both allow for it.
            run.rows("SELECT pg_advisory_xact_lock(:key)", {"key": _SCHEMA_LOCK})
            for statement in schema:
                # Asked for what is there, PostgreSQL demands the right to make it all the same.
                if not _is_there(run, statement):
                    run.change(statement, {})

    def free_space(self) -> None:
        """PostgreSQL's autovacuum does that."""

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._engine.dispose()


class _SqlTransaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: Parameters) -> Sequence[Row]:
        found: Sequence[Any] = self._connection.execute(text(statement), dict(parameters)).all()
        return found

    def change(self, statement: str, parameters: Parameters) -> int:
        return self._connection.execute(text(statement), dict(parameters)).rowcount

    def change_all(self, statement: str, parameters: Sequence[Parameters]) -> None:
        if parameters:
            self._connection.execute(text(statement), [dict(each) for each in parameters])

    def insert_new(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        places = ", ".join(f":{name}" for name in columns)
        self.change_all(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) ON CONFLICT DO NOTHING",
            [dict(zip(columns, row, strict=True)) for row in rows],
        )


def _is_there(run: Transaction, statement: str) -> bool:
    """Whether the table or index that a statement makes is there already."""
    named = _MAKES.match(statement)
    if named is None:
        return False
    # Where the statement would make it, which is the first schema of the path.
    place = "quote_ident(current_schema()) || '.' || :name"
    ((found,),) = run.rows(f"SELECT to_regclass({place})", {"name": named[1]})
    return found is not None


def _connect_arguments(url: URL) -> dict[str, Any]:
    """Return what a connection is made with; what the URL says itself counts."""
    # These arguments would take the place of the URL's.
    own = {name: value for name, value in _OF_CONNECTIONS.items() if name not in url.query}
    options = url.query.get("options", ())
    given = (options,) if isinstance(options, str) else options
    return {**own, "options": " ".join((_STATEMENT_TIMEOUT, *given))}


def _first_line(error: Exception) -> str:
    # The driver's own words; SQLAlchemy adds the statement and its values to them.
    cause = getattr(error, "orig", None) or error
    line = (str(cause) or type(cause).__name__).splitlines()[0].rstrip(".")
    return f"{line}."
