"""The store of sampled requests, truths and audits: its tables, and all that is done with them."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter

import orjson

from service.events import event_statements as statements
from service.events.database import Database, Row, Transaction
from service.events.errors import RecordError, StoreError
from service.events.event_records import EventRecord, row_of
from service.events.feedback_records import (
    Audit,
    AuditedAnswer,
    NotAuditedError,
    Result,
    Source,
    StoredTruth,
    Truth,
)
from service.events.sampling import Reason, audit_order
from service.events.second_answers import SecondAnswer, add_second_answers

# Deleting many at once would keep the other workers' writers waiting.
_CHUNK = 500
# Whoever has been handed an audit may answer it for so long before another gets it: seconds.
AUDIT_LEASE_S = 3600.0


class EventStore:
    """A database of events; any thread may use it.

    Attributes:
        database: where it is kept.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        """A store that is opened when it is first used.

        Args:
            database: where it is kept.
            clock: returns seconds since the epoch.
        """
        self.database = database
        self._clock = clock
        self._is_made = False

    @property
    def shown(self) -> str:
        """Where it is kept, for people."""
        return self.database.shown

    def make(self) -> None:
        """Make the tables if they are not there.

        Raises:
            StoreError: the database cannot be used now, or has tables of another format.
        """
        self.database.create(statements.SCHEMA)
        with self.database.transaction() as run:
            found = run.rows(statements.FORMATS, {})
            if not found:
                # Another may have done so since; what it wrote is seen afterwards.
                run.change(statements.PUT_FORMAT, {"format": statements.FORMAT})
                found = run.rows(statements.FORMATS, {})
            if [tuple(row) for row in found] != [(statements.FORMAT,)]:
                raise StoreError(
                    f"{self.shown} has tables of format {found[0][0]}, not {statements.FORMAT}: "
                    "it belongs to another version of this software."
                )
        self._is_made = True

    def add(self, entries: Sequence[EventRecord | SecondAnswer]) -> None:
        """Store requests, and then second answers to requests that are stored.

        Of an id that is stored already, the first stays; so it may be called again with all of
        them after an error, which may have left some stored.

        Raises:
            StoreError: the database cannot be used now.
            RecordError: it refuses a record.
        """
        rows = [
            (*_values(each), audit_order(each.request_id), each.size)
            for each in entries
            if isinstance(each, EventRecord)
        ]
        answers = [each for each in entries if isinstance(each, SecondAnswer)]
        with self._made() as database:
            database.insert_new("understudy_events", _ALL_NAMES, rows)
        if answers:
            with self.transaction() as run:
                add_second_answers(run, answers)

    def find(self, model: str, request_id: str) -> EventRecord | None:
        """Return a request; ``None`` if it is not stored.

        Raises:
            StoreError: the database cannot be used now.
        """
        with self.transaction() as run:
            return _found(run, model, request_id)

    def put(self, model: str, truths: Sequence[Truth]) -> list[Result]:
        """Store truths, in one step; one that is there with the same source is corrected.

        Returns:
            What became of each of them.

        Raises:
            StoreError: the database cannot be used now; nothing is stored.
            NotAuditedError: some are of the source "audit" and were not handed out; nothing is
                stored.
        """
        if not truths:
            return []
        with self.transaction() as run:
            results = [self._put(run, model, truth) for truth in truths]
            if wrong := [place for place, result in enumerate(results) if result is None]:
                raise NotAuditedError(wrong)  # Which takes the others back.
            return [result for result in results if result is not None]

    def hand_out(self, model: str, most: int, rollout: str = "") -> list[Audit]:
        """Choose instances to be labelled, and note that they were handed out.

        Those that nobody has labelled within ``AUDIT_LEASE_S`` come first: what people skip must
        not fall out of the sample. Then come further ones in a random order, of the requests that
        were sampled at the rate of all; one instance of each, chosen by its id. While a rollout is
        under way, those that both its versions have answered come before the others.

        Args:
            model: the model's name.
            most: how many are wanted.
            rollout: the id of the rollout that is under way; empty without one.

        Raises:
            StoreError: the database cannot be used now.
        """
        now = self._clock()
        with self.transaction() as run:
            late = run.rows(
                statements.LATE_AUDITS,
                {"model": model, "before": now - AUDIT_LEASE_S, "most": most},
            )
            found = [Audit(_event(row), int(row[-1])) for row in late]
            _note_handed_out(run, found, now)
            of_pairs = (statements.NEW_AUDITS_OF_PAIRS, {"rollout": rollout})
            for statement, more in (of_pairs, *((each, {}) for each in statements.NEW_AUDITS)):
                if len(found) < most:
                    rows = run.rows(statement, {"model": model, "most": most - len(found), **more})
                    new = [Audit(e := _event(row), int(row[-1]) % e.instances) for row in rows]
                    _note_handed_out(run, new, now)
                    found += new
            return found

    def events(self, model: str) -> Iterator[tuple[EventRecord, list[StoredTruth]]]:
        """Yield all requests of a model with their truths, in memory of a page.

        Raises:
            StoreError: the database cannot be used now.
        """
        after = ""
        while True:
            with self.transaction() as run:
                page = [
                    (event := _event(row), self._truths(run, event))
                    for row in run.rows(
                        statements.PAGE, {"model": model, "after": after, "most": _CHUNK}
                    )
                ]
            yield from page
            if len(page) < _CHUNK:
                return
            after = page[-1][0].request_id

    def audited(self, model: str, version: int) -> list[AuditedAnswer]:
        """Return a version's answers that were audited, in the order in which the truths came.

        Raises:
            StoreError: the database cannot be used now.
        """
        with self.transaction() as run:
            rows = run.rows(statements.AUDITED, {"model": model, "version": version})
        return [
            AuditedAnswer(row_of(outputs, int(instance), int(instances)), orjson.loads(truth))
            for outputs, instances, instance, truth in rows
        ]

    def expire(self, most_age_s: float, most_bytes: int) -> int:
        """Remove what is too old, and the oldest of what is too much.

        Requests without a truth go first where there is too much; with a request go its truths.

        Returns:
            How many requests were removed.

        Raises:
            StoreError: the database cannot be used now.
        """
        removed, before = 0, self._clock() - most_age_s
        while True:
            with self.transaction() as run:
                count = run.change(statements.EXPIRE, {"before": before, "most": _CHUNK})
            removed += count
            if count < _CHUNK:
                break
        while count := self._shrink(most_bytes):
            removed += count
        if removed:
            self.database.free_space()
        return removed

    def counts(self) -> Counter[str]:
        """Return how many requests there are of each model.

        Raises:
            StoreError: the database cannot be used now.
        """
        with self.transaction() as run:
            rows = run.rows("SELECT model, COUNT(*) FROM understudy_events GROUP BY model", {})
        return Counter({str(model): int(count) for model, count in rows})

    def close(self) -> None:
        """Close what this thread has opened."""
        self.database.close()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Begin a transaction of a store whose tables are there; an exception takes it back.

        Raises:
            StoreError: the database cannot be used now.
            RecordError: it refuses a record.
        """
        with self._made() as database, database.transaction() as run:
            yield run

    @contextmanager
    def _made(self) -> Iterator[Database]:
        """The database, with its tables; what it raises says whether they are still there."""
        if not self._is_made:
            self.make()
        try:
            yield self.database
        except RecordError:
            raise
        except StoreError:
            # Its file may have been removed, and the tables with it.
            self._is_made = False
            raise

    def _put(self, run: Transaction, model: str, truth: Truth) -> Result | None:
        key = {"model": model, "request_id": truth.request_id}
        event = _found(run, model, truth.request_id)
        if event is None or truth.instance >= event.instances:
            return Result.NOT_SAMPLED
        place = {**key, "instance": truth.instance}
        if truth.source is Source.AUDIT and not run.rows(statements.AUDIT, place):
            return None
        place["source"] = str(truth.source)
        text = orjson.dumps(truth.values, option=orjson.OPT_SORT_KEYS).decode()
        known = run.rows(statements.TRUTH, place)
        if known and known[0][0] == text:
            return Result.UNCHANGED
        run.change(statements.PUT_TRUTH, {**place, "truth": text, "given_at": self._clock()})
        return Result.CORRECTED if known else Result.STORED

    def _truths(self, run: Transaction, event: EventRecord) -> list[StoredTruth]:
        key = {"model": event.model, "request_id": event.request_id}
        found = []
        for instance, source, text, given_at, corrections in run.rows(statements.TRUTHS_OF, key):
            weight = 0.0
            if source == Source.AUDIT:
                weights = run.rows(statements.AUDIT, {**key, "instance": instance})
                weight = float(weights[0][0]) if weights else 0.0
            found.append(
                StoredTruth(
                    event.request_id,
                    int(instance),
                    Source(source),
                    orjson.loads(text),
                    float(given_at),
                    int(corrections),
                    weight,
                )
            )
        return found

    def _shrink(self, most_bytes: int) -> int:
        """Remove up to a chunk of the oldest while there is too much; return how many."""
        with self.transaction() as run:
            excess = int(run.rows(statements.TOTAL, {})[0][0]) - most_bytes
            if excess <= 0:
                return 0
            oldest = run.rows(statements.OLDEST, {"most": _CHUNK}) or run.rows(
                statements.OLDEST_OF_ALL, {"most": _CHUNK}
            )
            chosen = []
            for model, request_id, size in oldest:
                if excess <= 0:
                    break
                excess -= int(size)
                chosen.append({"model": model, "request_id": request_id})
            run.change_all(statements.REMOVE, chosen)
            return len(chosen)


def _note_handed_out(run: Transaction, audits: Sequence[Audit], now: float) -> None:
    run.change_all(
        statements.HAND_OUT,
        [
            {
                "model": audit.event.model,
                "request_id": audit.event.request_id,
                "instance": audit.instance,
                "handed_at": now,
                "weight": audit.event.instances / audit.event.rate,
            }
            for audit in audits
        ],
    )


_NAMES = statements.COLUMNS.split(", ")
_ALL_NAMES = (*_NAMES, "audit_order", "bytes")
_values = attrgetter(*_NAMES)


def _found(run: Transaction, model: str, request_id: str) -> EventRecord | None:
    rows = run.rows(statements.FIND, {"model": model, "request_id": request_id})
    return _event(rows[0]) if rows else None


def _event(row: Row) -> EventRecord:
    values = dict(zip(_NAMES, row, strict=False))
    return EventRecord(**{**values, "reason": Reason(values["reason"])})
