"""An event store in PostgreSQL, through SQLAlchemy."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from service.events.database import Parameters, Row, Transaction
from service.events.errors import RecordError, StoreError

# Any number, as long as all processes lock the same.
_SCHEMA_LOCK = 7_370_461_993
# Of seconds: a server that is gone must not keep a writer for the minutes that TCP takes.
_CONNECT_S = 5
_STATEMENT_MS = 30_000


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
        try:
            self._engine = create_engine(
                url,
                # A connection that the server has closed is replaced before it is used.
                pool_pre_ping=True,
                connect_args={
                    "connect_timeout": _CONNECT_S,
                    "options": f"-c statement_timeout={_STATEMENT_MS}",
                },
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
            with self._engine.begin() as connection:
                yield _SqlTransaction(connection)
        except (DataError, IntegrityError) as error:
            raise RecordError(f"{self.shown} refuses a record: {_first_line(error)}") from error
        except SQLAlchemyError as error:
            raise StoreError(f"{self.shown} cannot be used: {_first_line(error)}") from error

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


def _first_line(error: Exception) -> str:
    # The driver's own words; SQLAlchemy adds the statement and its values to them.
    cause = getattr(error, "orig", None) or error
    line = (str(cause) or type(cause).__name__).splitlines()[0].rstrip(".")
    return f"{line}."
