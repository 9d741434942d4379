"""The store of sampled requests, truths and audits: its tables, and all that is done with them."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from service.events import event_bundles as bundles
from service.events import event_rows, expiry
from service.events import event_statements as statements
from service.events.audit_selection import hand_out_late, hand_out_new
from service.events.bundle_format import IsWanted, PackedRequests, unpack_records
from service.events.database import Database, Row, Transaction
from service.events.errors import RecordError, StoreError
from service.events.event_records import EventRecord
from service.events.event_rows import event_of, find_row
from service.events.feedback_records import (
    Audit,
    AuditedAnswer,
    NotAuditedError,
    Result,
    StoredTruth,
    Truth,
)
from service.events.sampling import ALL_AUDITS
from service.events.second_answers import SecondAnswer, add_second_answers
from service.events.stored_truths import audited_answers, put_truth, truths_of

# Of one page of an export.
_CHUNK = 500
# So many requests of a model that are stored at once are stored as one, in a file: a service with
# fewer writes them as rows, which are easier to query.
LEAST_BUNDLED = 64
# For so many seconds an audit is reserved for the labeller who got it.
AUDIT_LEASE_S = 3600.0

T = TypeVar("T")


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
            StoreError: the database cannot be used now, or has tables of a later format.
        """
        self.database.create((*statements.SCHEMA, bundles.SCHEMA))
        with self.database.transaction() as run:
            found = run.rows(statements.FORMATS, {})
            if not found:
                # Another may have done so since; what it wrote is seen afterwards.
                run.change(statements.PUT_FORMAT, {"format": statements.FORMAT})
                found = run.rows(statements.FORMATS, {})
            # Of several formats, as two versions of this software leave them that come to an empty
            # database at the same moment, the highest is in force.
            newest = max(number for (number,) in found)
            # Not at all where it is right already: a standby, and who may only read, are asked too.
            if newest < statements.FORMAT:
                run.change(statements.PUT_FORMAT, {"format": statements.FORMAT})
                run.change(statements.DROP_EARLIER_FORMATS, {"format": statements.FORMAT})
            elif newest > statements.FORMAT:
                raise StoreError(
                    f"{self.shown} has tables of format {newest}, not {statements.FORMAT}: it "
                    "belongs to a later version of this software. Use that version, or another "
                    "store."
                )
        self._is_made = True

    def add(self, entries: Sequence[PackedRequests | EventRecord | SecondAnswer]) -> None:
        """Store requests, and then second answers to requests that are stored.

        Of an id that is stored already, the first stays; so it may be called again with all of
        them after an error, which may have left some stored. Only of ids that a client uses twice,
        for requests that were answered and not imported, there may be two.

        Args:
            entries: requests as they were answered, or as records; and second answers.

        Raises:
            StoreError: the database cannot be used now.
            RecordError: it refuses a record.
        """
        imported = [each for each in entries if isinstance(each, EventRecord)]
        answers = [each for each in entries if isinstance(each, SecondAnswer)]
        packed = [each for each in entries if isinstance(each, PackedRequests)]
        answered, bundled = self._divided(packed, {each.request_id for each in answers})
        if imported:
            self._make_rows(imported)
        with self._made() as database:
            if rows := event_rows.table_rows((*imported, *answered)):
                database.insert_new(event_rows.TABLE, event_rows.COLUMNS, rows)
            for bundle in bundled:
                database.insert_new(bundles.TABLE, bundles.COLUMNS, [bundle])
        if answers:
            now_rows = {(each.model, each.request_id) for each in answered}
            # Those alone: an answer counts for the request that was answered at its time.
            late = [each for each in answers if (each.model, each.request_id) not in now_rows]
            if late:
                self._make_rows(late, since=min(each.answered_at for each in late))
            with self.transaction() as run:
                add_second_answers(run, answers)

    def find(self, model: str, request_id: str) -> EventRecord | None:
        """Return a request; ``None`` if it is not stored.

        Raises:
            StoreError: the database cannot be used now.
        """
        return self.find_all(model, [request_id]).get(request_id)

    def find_all(self, model: str, ids: Collection[str]) -> dict[str, EventRecord]:
        """Return those requests with some ids that are stored, by id.

        Raises:
            StoreError: the database cannot be used now.
        """
        with self.transaction() as run:
            found = {each: event for each in ids if (event := find_row(run, model, each))}
            missing = [each for each in ids if each not in found]
            return {**found, **bundles.find_bundled(run, model, missing)}

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

        def put_all(run: Transaction) -> list[Result]:
            bundles.make_rows(run, model, {truth.request_id for truth in truths})
            results = [put_truth(run, model, truth, self._clock()) for truth in truths]
            if wrong := [place for place, result in enumerate(results) if result is None]:
                raise NotAuditedError(wrong)  # Which takes the others back.
            return [result for result in results if result is not None]

        return self._twice(put_all)

    def hand_out(self, model: str, most: int, rollout: str = "") -> list[Audit]:
        """Choose instances to be labelled, and note that they were handed out.

        Those that were not labelled within ``AUDIT_LEASE_S`` come first, because rows that people
        skip must not fall out of the sample. Then come further ones in a random order, of the
        requests that were sampled at the rate of all; one instance of each, chosen by its id. While
        a rollout is under way, those that both its versions have answered come before the others.

        Args:
            model: the model's name.
            most: how many are wanted.
            rollout: the id of the rollout that is under way; empty without one.

        Raises:
            StoreError: the database cannot be used now.
        """
        now = self._clock()
        of_pairs = {"model": model, "rollout": rollout}

        def hand_out_first(run: Transaction) -> list[Audit]:
            late = hand_out_late(run, model, AUDIT_LEASE_S, most, now)
            wanted = most - len(late)
            return late + hand_out_new(run, statements.NEW_AUDITS_OF_PAIRS, of_pairs, wanted, now)

        found = self._twice(hand_out_first)
        below, statement = statements.FIRST_AUDITS, statements.FIRST_NEW_AUDITS
        place: dict[str, Any] = {"model": model}
        while len(found) < most:
            is_bundled = self._make_rows_for_audits(model, below)
            wanted = most - len(found)
            new = partial(hand_out_new, statement=statement, parameters=place)
            found += self._twice(partial(new, most=wanted, now=now))
            if below == ALL_AUDITS:
                break
            # Not all at once of bundles, which would all become rows.
            below = 2 * below if is_bundled else ALL_AUDITS
            statement, place = statements.OTHER_NEW_AUDITS, {"model": model, "below": below}
        return found

    def events(
        self, model: str, *, labelled_only: bool = False
    ) -> Iterator[tuple[EventRecord, list[StoredTruth]]]:
        """Yield all requests of a model with their truths, in memory of a page or a bundle.

        First those of bundles come, without truths. What gets one meanwhile comes twice.

        Args:
            model: the model's name.
            labelled_only: whether requests without truths are left out.

        Raises:
            StoreError: the database cannot be used now.
        """
        if not labelled_only:
            place = (0.0, "")
            while True:
                with self.transaction() as run:
                    found = bundles.next_bundle(run, model, place)
                if found is None:
                    break
                place, events = found
                yield from ((event, []) for event in events)
        after = ""
        while True:
            with self.transaction() as run:
                rows = run.rows(statements.PAGE, {"model": model, "after": after, "most": _CHUNK})
                page = [(event := event_of(row), truths_of(run, event)) for row in rows]
            yield from (each for each in page if each[1] or not labelled_only)
            if len(page) < _CHUNK:
                return
            after = page[-1][0].request_id

    def audited(self, model: str, version: int) -> list[AuditedAnswer]:
        """Return a version's answers that were audited, in the order in which the truths came.

        Raises:
            StoreError: the database cannot be used now.
        """
        with self.transaction() as run:
            return audited_answers(run, model, version)

    def expire(self, most_age_s: float, most_bytes: int) -> int:
        """Remove what is too old, and the oldest of what is too much.

        Requests without a truth go first where there is too much; with a request go its truths.
        Nothing is removed by its age while the clock may have been set just now.

        Returns:
            How many requests were removed.

        Raises:
            StoreError: the database cannot be used now.
        """
        now, removed = self._clock(), 0
        before = now - most_age_s
        with self.transaction() as run:
            by_age = expiry.may_go_by_age(run, now)
        too_old = ((expiry.expire_bundles, before), (expiry.expire_rows, before))
        for step, bound in (*(too_old if by_age else ()), (expiry.shrink, most_bytes)):
            while True:
                with self.transaction() as run:
                    count = step(run, bound)
                if count is None:
                    break
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
            rows = [*run.rows(statements.COUNTS, {}), *run.rows(bundles.COUNTS, {})]
        counts: Counter[str] = Counter()
        for model, count in rows:
            counts[str(model)] += int(count)
        return counts

    def close(self) -> None:
        """Close what nobody uses; it can be used again."""
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

    def _twice(self, work: Callable[[Transaction], T]) -> T:
        """Do work in a transaction; once more if a row of it is refused.

        Where others write meanwhile (PostgreSQL), a request may be removed between the moment at
        which it is found and the row that refers to it.
        """
        try:
            with self.transaction() as run:
                return work(run)
        except RecordError:
            with self.transaction() as run:
                return work(run)

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

    def _divided(
        self, packed: Sequence[PackedRequests], answered_again: set[str]
    ) -> tuple[list[EventRecord], list[Row]]:
        """Return those requests that become rows, and the rows of bundles.

        Args:
            packed: requests that were answered.
            answered_again: ids of requests whose second answers come with them: they become rows
                at once, and are left in their bundle.
        """
        rows: list[EventRecord] = []
        bundled: list[Row] = []
        for together in packed:
            try:
                # What no database takes as text, such as half a character in a model's name.
                together.model.encode()
            except ValueError as error:
                raise RecordError(f"A request cannot be stored: {error}.") from error
            body = together.to_bytes()
            few = self.database.is_shared or len(together) < LEAST_BUNDLED
            apart = set(together.ids) if few else answered_again.intersection(together.ids)
            if apart:
                rows += unpack_records(together.model, body, _is_one_of(apart))
            if not few:
                bundled.append(bundles.bundle_of(together, body, len(apart)))
        return rows, bundled

    def _make_rows(
        self, entries: Sequence[EventRecord | SecondAnswer], *, since: float = 0.0
    ) -> None:
        """Let requests that are in bundles be rows; none was answered before ``since``."""
        ids: dict[str, set[str]] = {}
        for each in entries:
            ids.setdefault(each.model, set()).add(each.request_id)
        with self.transaction() as run:
            for model, of_model in ids.items():
                bundles.make_rows(run, model, of_model, since=since)

    def _make_rows_for_audits(self, model: str, below: int) -> bool:
        """Let requests whose turn comes before others' be rows; whether there are any bundles."""
        while True:
            # One a transaction, so that the workers' writers have their turn.
            with self.transaction() as run:
                if not bundles.make_rows_for_audits(run, model, below):
                    return bundles.has_bundles(run, model)


def _is_one_of(ids: Set[str]) -> IsWanted:
    return lambda request_id, *_: request_id in ids
