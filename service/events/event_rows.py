"""Requests as rows of the store's table of events."""

from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter

from service.events import event_statements as statements
from service.events.database import Row, Transaction
from service.events.event_records import EventRecord
from service.events.sampling import Reason, audit_order

TABLE = "understudy_events"
_NAMES = statements.COLUMNS.split(", ")
COLUMNS = (*_NAMES, "audit_order", "bytes")
_values = attrgetter(*_NAMES)
# In one statement: a power of two, of which both databases take far more.
_MOST_ASKED = 1024


def table_rows(events: Iterable[EventRecord]) -> list[Row]:
    """Return the rows of requests, a value for each of ``COLUMNS``."""
    return [(*_values(each), audit_order(each.request_id), each.size) for each in events]


def event_of(row: Row) -> EventRecord:
    """Return the request of a row that begins with the columns of ``event_statements.COLUMNS``."""
    values = dict(zip(_NAMES, row, strict=False))
    return EventRecord(**{**values, "reason": Reason(values["reason"])})


def find_row(run: Transaction, model: str, request_id: str) -> EventRecord | None:
    """Return a request that is a row of its own; ``None`` if there is none."""
    rows = run.rows(statements.FIND, {"model": model, "request_id": request_id})
    return event_of(rows[0]) if rows else None


def insert_rows(run: Transaction, events: Sequence[EventRecord]) -> None:
    """Make rows of requests; of an id that has one, that stays."""
    run.insert_new(TABLE, COLUMNS, table_rows(events))


def times_of_rows(run: Transaction, model: str, ids: Collection[str]) -> dict[str, float]:
    """Return when those of some ids that have rows were answered, in seconds since the epoch."""
    found: dict[str, float] = {}
    left = list(ids)
    while left:
        part, left = left[:_MOST_ASKED], left[_MOST_ASKED:]
        # Of few lengths, so that SQLite keeps the statements.
        part += [part[0]] * ((1 << (len(part) - 1).bit_length()) - len(part))
        names = {f"id_{number}": each for number, each in enumerate(part)}
        places = ", ".join(f":{name}" for name in names)
        rows = run.rows(f"{statements.ANSWERED_AT} ({places})", {"model": model, **names})
        found.update((request_id, float(at)) for request_id, at in rows)
    return found
