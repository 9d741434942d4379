"""Event stores in files, and records to put into them."""

import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from service.events.bundle_format import PackedRequests, unpack_records
from service.events.event_records import AnsweredRequest, EventRecord, columns_of
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


def packed(requests: Iterable[AnsweredRequest]) -> list[PackedRequests]:
    """Return requests as a worker's writer gathers them: those of a model together."""
    found: dict[str, PackedRequests] = {}
    for request in requests:
        found.setdefault(request.model, PackedRequests(request.model)).add(request)
    return list(found.values())


def unpacked(request: AnsweredRequest) -> EventRecord:
    """Return what is read of a request that was packed alone."""
    (one,) = packed([request])
    (record,) = unpack_records(request.model, one.to_bytes(), lambda *_: True)
    return record


def record_of(request: AnsweredRequest) -> EventRecord:
    """Return a request as the store is to hold it, by another way than packing it."""
    signature, outputs = request.signature, request.outputs
    return EventRecord(
        model=request.model,
        request_id=request.request_id,
        answered_at=request.answered_at,
        version=request.version,
        signature=signature.name,
        status=request.status,
        instances=request.instances,
        probability=request.inclusion.probability,
        rate=request.inclusion.rate,
        reason=request.inclusion.reason,
        inputs=columns_of(signature, signature.inputs, request.inputs, request.instances),
        outputs=None
        if outputs is None
        else columns_of(signature, signature.outputs, outputs, request.instances),
    )


def on_threads(work: list[Any]) -> None:
    """Call all at the same time, each in a thread of its own, and wait for them."""
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
