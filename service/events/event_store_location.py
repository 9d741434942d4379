"""Where the event store is: the path of a file, or the URL of a database."""

from pathlib import Path

from service.events.database import Database
from service.events.errors import StoreError
from service.events.sqlite_database import SqliteDatabase

_EXTRA = "install the extra 'events': pip install 'understudy[events]'"


def open_database(location: str) -> Database:
    """Return the database that a setting names; nothing is opened yet.

    Args:
        location: a file of SQLite, ``sqlite:///`` and its path, or the URL of a PostgreSQL such as
            ``postgresql+psycopg://user:password@host/database``.

    Raises:
        StoreError: it names neither, or the packages for it are not installed.
    """
    scheme, separator, rest = location.partition("://")
    if not separator:
        return SqliteDatabase(Path(location))
    if scheme == "sqlite":
        path = rest.removeprefix("/")
        if not path or path == ":memory:":
            raise StoreError(f"{location} is in the memory of one process: name a file.")
        return SqliteDatabase(Path(path))
    if scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise StoreError(
            f"Expected the path of a file, or a URL such as "
            f"postgresql+psycopg://user:password@host/database, not one of {scheme!r}."
        )
    try:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        from service.events.sql_database import SqlDatabase
    except ImportError as error:
        raise StoreError(f"PostgreSQL needs SQLAlchemy: {_EXTRA}.") from error
    try:
        url = make_url(location)
    except ArgumentError as error:
        raise StoreError(
            "Expected a URL such as postgresql+psycopg://user:password@host/database."
        ) from error
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    return SqlDatabase(url)
