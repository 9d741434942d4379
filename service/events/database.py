"""What the event store needs of a database, and which one a setting names.

SQLite comes with Python, so the service needs no further package for it. PostgreSQL is reached
through SQLAlchemy, of the extra ``events``. Both understand the same statements: named parameters,
``ON CONFLICT``, row values.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

Row = Sequence[Any]
Parameters = Mapping[str, Any]


class Transaction(Protocol):
    """Statements that all take effect, or none of them."""

    def rows(self, statement: str, parameters: Parameters) -> Sequence[Row]:
        """Return what a query finds."""

    def change(self, statement: str, parameters: Parameters) -> int:
        """Run a statement, and return how many rows it changed."""

    def change_all(self, statement: str, parameters: Sequence[Parameters]) -> None:
        """Run a statement for each of the parameters."""

    def insert_new(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert rows with a value for each column, but for those whose key is there already."""


class Database(Protocol):
    """A database; any thread may use it.

    Attributes:
        shown: what it is, for people, without a password.
        is_shared: whether services on several machines use it together.
    """

    is_shared: bool

    @property
    def shown(self) -> str: ...

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction that may write; an exception takes it back.

        Raises:
            StoreError: the database cannot be used now.
            RecordError: it refuses the values.
        """

    def insert_new(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert many rows, in few transactions of their own; else as ``Transaction.insert_new``.

        Raises:
            StoreError: as ``transaction``; some of the rows may be there.
            RecordError: likewise.
        """

    def create(self, schema: Sequence[str]) -> None:
        """Run the statements that make tables, one process after the other.

        Raises:
            StoreError: as ``transaction``.
        """

    def free_space(self) -> None:
        """Give room back to the file system, where the database does not do so by itself."""

    def close(self) -> None:
        """Close the connections that nobody uses."""
