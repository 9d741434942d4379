"""What can happen to a database of trials while they run."""

import sqlite3
from contextlib import closing
from pathlib import Path


def removed(database: Path) -> None:
    database.unlink()


def overwritten(database: Path) -> None:
    database.write_bytes(b"x" * 5000)


def without_tables(database: Path) -> None:
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.execute("DROP TABLE trial_intermediate_values")
        connection.execute("DROP TABLE trials")
