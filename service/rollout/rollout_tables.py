"""The tables in which the replicas of a service share its rollouts, in their event store."""

from collections.abc import Iterator
from contextlib import contextmanager

from service.events.database import Database, Transaction
from service.events.errors import StoreError

_SCHEMA = (
    # What each worker of each replica has counted of a step; JSON.
    """CREATE TABLE IF NOT EXISTS understudy_rollout_counts (
        worker TEXT PRIMARY KEY,
        model TEXT NOT NULL,
        rollout TEXT NOT NULL,
        split TEXT NOT NULL,
        counts TEXT NOT NULL)""",
    """CREATE INDEX IF NOT EXISTS understudy_rollout_counts_by_model
        ON understudy_rollout_counts (model, split)""",
    # Which replica decides on a model's rollout, how often it has said that it lives, and what it
    # has decided; JSON.
    """CREATE TABLE IF NOT EXISTS understudy_rollouts (
        model TEXT PRIMARY KEY,
        replica TEXT NOT NULL,
        beat BIGINT NOT NULL,
        record TEXT)""",
)


class RolloutTables:
    """The tables, made when they are first used; any thread may use them."""

    def __init__(self, database: Database) -> None:
        """The tables of a database that nothing asks yet."""
        self._database = database
        self._are_made = False

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Begin a transaction that may write; an exception takes it back.

        Raises:
            StoreError: the database cannot be used now.
        """
        if not self._are_made:
            self._database.create(_SCHEMA)
            self._are_made = True
        try:
            with self._database.transaction() as run:
                yield run
        except StoreError:
            # Somebody may have removed the tables.
            self._are_made = False
            raise
