"""A PostgreSQL whose tables somebody else has made, for a service that may make none."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from service.events.errors import StoreError
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
            run.change("CREATE ROLE reader LOGIN", {})
            run.change("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", {})
        yield postgres_url.replace("understudy@", "limited@")
        with owners.transaction() as run:
            run.change("DELETE FROM understudy_events", {})
            run.change("DROP OWNED BY limited, reader", {})
            run.change("DROP ROLE limited, reader", {})


def test_tables_that_are_there_need_no_right_to_make_them(limited_url: str) -> None:
    with closing(open_database(limited_url)) as database:
        store = EventStore(database)
        store.add([record("a")])
        assert store.counts() == {"m": 1}
        with RolloutTables(database).transaction() as run:
            assert run.rows("SELECT COUNT(*) FROM understudy_rollouts", {}) == [(0,)]


def test_who_may_only_read_can_export(limited_url: str) -> None:
    """As from a standby, whose transactions are all read-only."""
    with closing(open_database(limited_url)) as database:
        EventStore(database).add([record("b")])
    read_only = f"{limited_url}&options=-c%20default_transaction_read_only%3Don"
    for url in (limited_url.replace("limited@", "reader@"), read_only):
        with closing(open_database(url)) as database:
            store = EventStore(database)
            assert "b" in {event.request_id for event, _ in store.events("m")}
            with pytest.raises(StoreError, match=r"permission denied|read-only transaction"):
                store.add([record("c")])
