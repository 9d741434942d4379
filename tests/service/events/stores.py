"""Event stores in files, and records to put into them."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from service.events.event_records import EventRecord
from service.events.event_store import EventStore
from service.events.sampling import Reason
from service.events.sqlite_database import SqliteDatabase

NOW = 1_000_000.0


class Clock:
    """Seconds since the epoch, as a test sets them."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def store_in(path: Path, clock: Clock | None = None, **options: Any) -> EventStore:
    """Return a store in a file of SQLite."""
    return EventStore(SqliteDatabase(path, **options), clock=clock or Clock())


def record(request_id: str, **changes: Any) -> EventRecord:
    """Return a record of two instances."""
    known = EventRecord(
        model="m",
        request_id=request_id,
        answered_at=NOW,
        version=3,
        signature="serving_default",
        status=200,
        instances=2,
        probability=0.1,
        rate=0.1,
        reason=Reason.SAMPLE,
        inputs='{"x":[1.0,2.0],"all":[7]}',
        outputs='{"y":["a","b"]}',
    )
    return replace(known, **changes)


def on_threads(work: list[Any]) -> None:
    """Call all at the same time, each in a thread of its own, and wait for them."""
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
