"""Bundles: sampled requests that a busy worker stores together, as one row of the store.

A row for each request would touch a page of the indexes for nearly each, and each page is written
twice. A bundle has no index of its requests; it has a hash of each id, by which they are found.
What somebody asks for by its id, or is to label, becomes a row of its own and is treated as any
other from then on; the bundle stays as it is until all of it expires.
"""

from binascii import crc32
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from service.events.bundle_format import PackedRequests, unpack_records
from service.events.database import Transaction
from service.events.event_records import EventRecord
from service.events.event_rows import insert_rows, times_of_rows
from service.events.sampling import Reason, audit_order

TABLE = "understudy_event_bundles"
SCHEMA = f"""CREATE TABLE IF NOT EXISTS {TABLE} (
    model TEXT NOT NULL,
    first_at DOUBLE PRECISION NOT NULL,
    first_id TEXT NOT NULL,
    last_at DOUBLE PRECISION NOT NULL,
    events BIGINT NOT NULL,
    as_rows BIGINT NOT NULL,
    audits_below BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    keys BYTEA NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (model, first_at, first_id))"""
COLUMNS = (
    "model",
    "first_at",
    "first_id",
    "last_at",
    "events",
    "as_rows",
    "audits_below",
    "bytes",
    "keys",
    "body",
)
COUNTS = f"SELECT model, SUM(events - as_rows) FROM {TABLE} GROUP BY model"
TOTAL = f"SELECT COALESCE(SUM(bytes), 0) FROM {TABLE}"
OLDEST = f"""SELECT last_at, bytes, events, model, first_at, first_id FROM {TABLE}
    ORDER BY last_at LIMIT :most"""
OLDER = f"""SELECT model, first_at, first_id, events - as_rows FROM {TABLE}
    WHERE last_at < :before ORDER BY last_at LIMIT :most"""
_THIS = "model = :model AND first_at = :first_at AND first_id = :first_id"
REMOVE = f"DELETE FROM {TABLE} WHERE {_THIS}"
_KEYS = f"""SELECT first_at, first_id, keys FROM {TABLE}
    WHERE model = :model AND last_at >= :since ORDER BY first_at, first_id"""
_BODY = f"SELECT body FROM {TABLE} WHERE {_THIS}"
_NEXT = f"""SELECT first_at, first_id, body FROM {TABLE}
    WHERE model = :model AND (first_at, first_id) > (:first_at, :first_id)
    ORDER BY first_at, first_id LIMIT 1"""
_ANY = f"SELECT 1 FROM {TABLE} WHERE model = :model LIMIT 1"
_UNASKED = f"""SELECT first_at, first_id, audits_below, body FROM {TABLE}
    WHERE model = :model AND audits_below < :below ORDER BY first_at, first_id LIMIT 1"""
_ASKED = f"UPDATE {TABLE} SET audits_below = :below WHERE {_THIS}"
_NOTE_ROWS = f"UPDATE {TABLE} SET as_rows = as_rows + :count WHERE {_THIS}"
# What a bundle takes beside its requests.
_OVERHEAD_BYTES = 200
_KEY = np.dtype("<u4")


def bundle_of(packed: PackedRequests, body: bytes, as_rows: int) -> tuple[Any, ...]:
    """Return the row of a bundle, a value for each of ``COLUMNS``.

    Args:
        packed: its requests, at least one.
        body: their bytes.
        as_rows: how many of them are rows of their own as well.
    """
    keys = np.array([crc32(each.encode()) for each in packed.ids], _KEY).tobytes()
    first_at, last_at = packed.times()
    size = len(keys) + len(body) + _OVERHEAD_BYTES
    return (
        packed.model,
        first_at,
        packed.ids[0],
        last_at,
        len(packed),
        as_rows,
        0,
        size,
        keys,
        body,
    )


def find_bundled(run: Transaction, model: str, ids: Collection[str]) -> dict[str, EventRecord]:
    """Return the requests with these ids that are in bundles; of an id that came twice, the first.

    Args:
        run: a transaction of the store.
        model: the model's name.
        ids: ids of requests.
    """
    return {
        request_id: event
        for _, events in _bundled(run, model, ids, since=0.0)
        for request_id, event in events.items()
    }


def make_rows(run: Transaction, model: str, ids: Collection[str], *, since: float = 0.0) -> None:
    """Let requests with these ids be rows of their own, if they are stored.

    Args:
        run: a transaction of the store.
        model: the model's name.
        ids: ids of requests.
        since: none of them was answered before, in seconds since the epoch.
    """
    if not has_bundles(run, model):
        return
    wanted = set(ids) - times_of_rows(run, model, ids).keys()
    for place, events in _bundled(run, model, wanted, since):
        _insert(run, model, place, list(events.values()))


def make_rows_for_audits(run: Transaction, model: str, below: int) -> bool:
    """Let those requests of a bundle be rows that are handed out as audits before others.

    Args:
        run: a transaction of the store.
        model: the model's name.
        below: those whose ``audit_order`` is below this, of a bundle for which that is not done.

    Returns:
        Whether there was such a bundle; there may be more.
    """
    for first_at, first_id, start, body in run.rows(_UNASKED, {"model": model, "below": below}):
        place = {"model": model, "first_at": first_at, "first_id": first_id}

        def is_next(request_id: str, reason: Reason, status: int, start: int = int(start)) -> bool:
            is_asked_for = reason is Reason.SAMPLE and status < 400
            return is_asked_for and start <= audit_order(request_id) < below

        found = {event.request_id: event for event in unpack_records(model, bytes(body), is_next)}
        known = times_of_rows(run, model, found)
        _insert(run, model, place, [e for name, e in found.items() if name not in known])
        run.change(_ASKED, {**place, "below": below})
        return True
    return False


def has_bundles(run: Transaction, model: str) -> bool:
    """Whether there is a bundle of a model."""
    return bool(run.rows(_ANY, {"model": model}))


def next_bundle(
    run: Transaction, model: str, after: tuple[float, str]
) -> tuple[tuple[float, str], list[EventRecord]] | None:
    """Return a bundle's place and its requests that are not rows; ``None`` after the last bundle.

    Args:
        run: a transaction of the store.
        model: the model's name.
        after: the place of the bundle before.
    """
    first_at, first_id = after
    rows = run.rows(_NEXT, {"model": model, "first_at": first_at, "first_id": first_id})
    for found_at, found_id, body in rows:
        events = list(unpack_records(model, bytes(body), lambda *_: True))
        known = times_of_rows(run, model, [each.request_id for each in events])
        return (found_at, found_id), [e for e in events if e.request_id not in known]
    return None


def _bundled(
    run: Transaction, model: str, ids: Collection[str], since: float
) -> Iterator[tuple[dict[str, Any], dict[str, EventRecord]]]:
    """Yield where requests are, and those of each bundle by id; each id once."""
    if not ids:
        return
    left = set(ids)

    def is_left(request_id: str, _reason: Reason, _status: int) -> bool:
        return request_id in left

    bundles = run.rows(_KEYS, {"model": model, "since": since})
    keys = np.frombuffer(b"".join([bytes(row[2]) for row in bundles]), _KEY)
    ends = np.cumsum([len(row[2]) // _KEY.itemsize for row in bundles])
    hits = np.flatnonzero(np.isin(keys, [crc32(each.encode()) for each in left]))
    for number in np.unique(np.searchsorted(ends, hits, side="right")).tolist():
        first_at, first_id, _ = bundles[number]
        place = {"model": model, "first_at": first_at, "first_id": first_id}
        found: dict[str, EventRecord] = {}
        for (body,) in run.rows(_BODY, place):
            for event in unpack_records(model, bytes(body), is_left):
                found.setdefault(event.request_id, event)
        left -= found.keys()
        yield place, found


def _insert(
    run: Transaction, model: str, place: dict[str, Any], events: Sequence[EventRecord]
) -> None:
    if events:
        insert_rows(run, events)
        run.change(_NOTE_ROWS, {**place, "count": len(events)})
