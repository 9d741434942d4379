"""A PostgreSQL whose tables somebody else has made, for a service that may make none."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from service.events.event_store import EventStore
from service.events.event_store_location import open_database
from service.rollout.rollout_tables import RolloutTables
from tests.service.events.postgres import postgres, postgres_url
from tests.service.events.stores import record

__all__ = ["postgres", "postgres_url"]


@pytest.fixture
def limited_url(postgres_url: str) -> Iterator[str]:
    """The URL for a role that may read and write, after the owner has made the tables."""
    with closing(open_database(postgres_url)) as owners:
        EventStore(owners).make()
        with RolloutTables(owners).transaction() as run:
            run.change("REVOKE CREATE ON SCHEMA public FROM PUBLIC", {})
            run.change("CREATE ROLE limited LOGIN", {})
            run.change(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO limited", {}
            )
        yield postgres_url.replace("understudy@", "limited@")


def test_tables_that_are_there_need_no_right_to_make_them(limited_url: str) -> None:
    with closing(open_database(limited_url)) as database:
        store = EventStore(database)
        store.add([record("a")])
        assert store.counts() == {"m": 1}
        with RolloutTables(database).transaction() as run:
            assert run.rows("SELECT COUNT(*) FROM understudy_rollouts", {}) == [(0,)]
