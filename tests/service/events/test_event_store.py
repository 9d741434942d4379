"""The store: what it keeps, what it corrects, what it hands out, what it forgets."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from service.events.database import Parameters, Row, Transaction
from service.events.errors import StoreError
from service.events.event_statements import FIRST_AUDITS, FORMATS, PUT_FORMAT, REMOVE
from service.events.event_store import AUDIT_LEASE_S, EventStore
from service.events.event_store_location import open_database
from service.events.feedback_records import AuditedAnswer, NotAuditedError, Result, Source, Truth
from service.events.sampling import Reason, audit_order
from service.events.second_answers import SecondAnswer, audited_pairs
from tests.service.events.postgres import postgres, postgres_url
from tests.service.events.stores import NOW, Clock, on_threads, record

__all__ = ["postgres", "postgres_url"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(tmp_path: Path, clock: Clock, request: pytest.FixtureRequest) -> Iterator[EventStore]:
    """An empty store, in a file and in PostgreSQL."""
    location = str(tmp_path / "events.db")
    if request.param == "postgresql":
        location = request.getfixturevalue("postgres_url")
    database = open_database(location)
    with database.transaction() as run:
        for table in ("second_answers", "audits", "truths", "events", "retention", "store"):
            run.change(f"DROP TABLE IF EXISTS understudy_{table}", {})
    yield EventStore(database, clock=clock)
    database.close()


def truth(request_id: str, value: str, source: Source = Source.USER, instance: int = 0) -> Truth:
    return Truth(request_id, instance, source, {"y": value})


def test_a_request_comes_back_as_it_was(store: EventStore) -> None:
    store.add([record("a"), record("b", model="é😀", status=500, outputs=None)])
    found = store.find("m", "a")
    assert found == record("a")
    assert found.row_of_inputs(1) == {"x": 2.0, "all": [7]}
    assert found.row_of_outputs(1) == {"y": "b"}
    assert store.find("é😀", "b").row_of_outputs(0) == {}
    assert store.find("m", "b") is None
    assert store.counts() == {"m": 1, "é😀": 1}


def test_the_first_of_an_id_stays(store: EventStore) -> None:
    store.add([record("a"), record("a", version=4)])
    store.add([record("a", version=5), record("b")])
    assert store.find("m", "a").version == 3
    assert store.counts() == {"m": 2}


def test_truths_are_idempotent_and_can_be_corrected(store: EventStore, clock: Clock) -> None:
    store.add([record("a")])
    first = [truth("a", "b"), truth("a", "b", instance=1), truth("never", "b")]
    assert store.put("m", first) == [Result.STORED, Result.STORED, Result.NOT_SAMPLED]
    assert store.put("m", [truth("a", "b")]) == [Result.UNCHANGED]
    clock.now += 60
    assert store.put("m", [truth("a", "c"), truth("a", "x", instance=2)]) == [
        Result.CORRECTED,
        Result.NOT_SAMPLED,
    ]
    ((event, truths),) = store.events("m")
    assert event == record("a")
    assert [(t.instance, t.values, t.corrections, t.given_at) for t in truths] == [
        (0, {"y": "c"}, 1, NOW + 60),
        (1, {"y": "b"}, 0, NOW),
    ]


def test_a_truth_is_the_same_however_its_number_is_written(store: EventStore) -> None:
    """Else to import what was exported would count as new truths."""
    store.add([record("a")])
    sent = [Truth("a", 0, Source.USER, {"y": value}) for value in (26, 26.0, 26.5)]
    results = [store.put("m", [each])[0] for each in sent]
    assert results == [Result.STORED, Result.UNCHANGED, Result.CORRECTED]


def test_only_what_was_handed_out_can_be_an_audit(store: EventStore) -> None:
    store.add([record("a", instances=1), record("b", instances=1)])
    with pytest.raises(NotAuditedError) as refused:
        store.put("m", [truth("a", "b"), truth("b", "b", Source.AUDIT)])
    assert refused.value.places == [1]
    # Nothing of that is stored.
    assert [truths for _, truths in store.events("m")] == [[], []]
    (audit,) = store.hand_out("m", 1)
    request_id = audit.event.request_id
    assert store.put("m", [truth(request_id, "b", Source.AUDIT), truth(request_id, "c")]) == [
        Result.STORED,
        Result.STORED,
    ]
    by_source = {t.source: t for _, truths in store.events("m") for t in truths}
    # One of all at a rate of 0.1.
    assert by_source[Source.AUDIT].weight == 10
    assert by_source[Source.USER].weight == 0


def test_audits_are_handed_out_once_and_again_when_nobody_answers(
    store: EventStore, clock: Clock
) -> None:
    ids = [f"r{number}" for number in range(20)]
    store.add([record(each, instances=3, inputs='{"x":[0,1,2]}') for each in ids])
    store.add([record("failed", status=500), record("unsure", reason=Reason.UNSURE)])
    first, second = store.hand_out("m", 5), store.hand_out("m", 100)
    handed = [audit.event.request_id for audit in (*first, *second)]
    assert sorted(handed) == sorted(ids)
    assert handed != ids  # In an order of its own.
    assert {audit.instance for audit in (*first, *second)} == {0, 1, 2}
    assert store.hand_out("m", 10) == []
    answered = first[0]
    store.put(
        "m", [truth(answered.event.request_id, "b", Source.AUDIT, instance=answered.instance)]
    )
    clock.now += AUDIT_LEASE_S
    again = store.hand_out("m", 4)
    assert again == first[1:]
    assert store.hand_out("m", 100) == second


def test_audits_come_in_one_order_whether_they_are_indexed_or_not(store: EventStore) -> None:
    """Of 300 requests some nine are indexed by it; two calls cut the order at any place."""
    ids = [f"r{number}" for number in range(300)]
    store.add([record(each) for each in ids])
    expected = sorted(ids, key=audit_order)
    assert 0 < sum(audit_order(each) < FIRST_AUDITS for each in ids) < 100
    handed = [*store.hand_out("m", 4), *store.hand_out("m", 150), *store.hand_out("m", 300)]
    assert [audit.event.request_id for audit in handed] == expected


@pytest.mark.parametrize("count", [0, 1, 3, 255, 256, 257, 700])
def test_any_number_of_requests_is_stored_at_once(store: EventStore, count: int) -> None:
    ids = [f"r{number:03}" for number in range(count)]
    store.add([record(each) for each in ids])
    assert [event.request_id for event, _ in store.events("m")] == ids
    store.add([record(each, version=9) for each in ids])
    assert {event.version for event, _ in store.events("m")} <= {record("a").version}


def test_old_requests_are_removed_with_their_truths(store: EventStore, clock: Clock) -> None:
    store.add([record(f"old{number}") for number in range(1200)])
    store.put("m", [truth("old7", "b")])
    clock.now += 100
    store.add([record("new", answered_at=clock.now)])
    assert store.expire(most_age_s=101, most_bytes=2**40) == 0
    assert store.expire(most_age_s=50, most_bytes=2**40) == 1200
    assert [event.request_id for event, _ in store.events("m")] == ["new"]
    assert store.put("m", [truth("old7", "b")]) == [Result.NOT_SAMPLED]


def test_the_oldest_go_first_when_there_is_too_much(store: EventStore) -> None:
    """But those with a truth last."""
    size = record("r0").size
    store.add([record(f"r{n}", answered_at=NOW + n) for n in range(10)])
    store.put("m", [truth("r0", "b")])
    assert store.expire(most_age_s=1000, most_bytes=4 * size) == 6
    assert [event.request_id for event, _ in store.events("m")] == ["r0", "r7", "r8", "r9"]
    assert store.expire(most_age_s=1000, most_bytes=0) == 4


def test_all_requests_come_page_by_page(store: EventStore) -> None:
    ids = [f"{number:04}" for number in range(1001)]
    store.add([record(each) for each in ids])
    assert [event.request_id for event, _ in store.events("m")] == ids


def test_several_write_at_once(store: EventStore) -> None:
    """Each makes the tables as well."""
    problems: list[Exception] = []

    def write(name: int) -> None:
        try:
            for part in range(5):
                store.add([record(f"{name}-{part}-{n}") for n in range(20)])
        except Exception as error:
            problems.append(error)

    on_threads([lambda name=name: write(name) for name in range(4)])
    assert problems == []
    assert store.counts() == {"m": 400}


def test_one_that_makes_the_tables_at_the_same_moment_harms_nobody(
    postgres_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a look for the store's format and writing it; SQLite lets nobody in between."""
    database = open_database(postgres_url)
    with database.transaction() as run:
        for table in ("second_answers", "audits", "truths", "events", "retention", "store"):
            run.change(f"DROP TABLE IF EXISTS understudy_{table}", {})
    transaction = database.transaction

    @contextmanager
    def interrupted() -> Iterator[Transaction]:
        with transaction() as run:
            rows = run.rows

            def look(statement: str, parameters: Parameters) -> Sequence[Row]:
                found = rows(statement, parameters)
                if statement == FORMATS and not found:
                    other = EventStore(open_database(postgres_url), clock=clock)
                    other.make()
                    other.close()
                return found

            monkeypatch.setattr(run, "rows", look)
            yield run

    monkeypatch.setattr(database, "transaction", interrupted)
    store = EventStore(database, clock=clock)
    store.add([record("a")])
    assert store.counts() == {"m": 1}
    database.close()


@pytest.mark.parametrize(
    ("before", "after"), [([2], [3]), ([1, 2], [3]), ([2, 3], [2, 3]), ([2, 4], None)]
)
def test_the_highest_of_several_formats_is_in_force(
    postgres_url: str, clock: Clock, before: list[int], after: list[int] | None
) -> None:
    """Two versions of this software at the same moment, on an empty database, leave two."""
    database = open_database(postgres_url)
    EventStore(database, clock=clock).make()
    with database.transaction() as run:
        run.change("DELETE FROM understudy_store", {})
        for number in before:
            run.change(PUT_FORMAT, {"format": number})
    store = EventStore(database, clock=clock)
    try:
        if after is None:
            with pytest.raises(StoreError, match="has tables of format 4, not 3: it belongs to a"):
                store.make()
            return
        store.add([record("of a format", model="formats")])
        with database.transaction() as run:
            assert sorted(number for (number,) in run.rows(FORMATS, {})) == after
    finally:
        with database.transaction() as run:
            run.change("DELETE FROM understudy_store", {})
        database.close()


@pytest.mark.parametrize("is_audit", [False, True])
def test_a_request_that_is_removed_at_that_moment_is_no_failure(
    postgres_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch, is_audit: bool
) -> None:
    """Between being found and the row that refers to it; SQLite lets nobody in between."""
    database, other = open_database(postgres_url), open_database(postgres_url)
    store = EventStore(database, clock=clock)
    store.add([record("gone", model="removed"), record("stays", model="removed")])
    transaction = database.transaction

    @contextmanager
    def interrupted() -> Iterator[Transaction]:
        with transaction() as run:
            for name in ("change", "change_all"):
                monkeypatch.setattr(run, name, partial(after_removal, getattr(run, name)))
            yield run

    def after_removal(write: Callable[..., Any], statement: str, parameters: Any) -> Any:
        with other.transaction() as run:
            run.change(REMOVE, {"model": "removed", "request_id": "gone"})
        return write(statement, parameters)

    monkeypatch.setattr(database, "transaction", interrupted)
    if is_audit:
        handed = store.hand_out("removed", 2)
        assert [audit.event.request_id for audit in handed] == ["stays"]
    else:
        truths = [truth("gone", "b"), truth("stays", "b")]
        assert store.put("removed", truths) == [Result.NOT_SAMPLED, Result.STORED]
    database.close()
    other.close()


def test_audited_answers_come_with_their_truths(store: EventStore, clock: Clock) -> None:
    """Those of one version, in the order in which somebody said what is true."""
    store.add([record("a", rate=1.0), record("b", rate=1.0), record("c", version=4, rate=1.0)])
    places = {audit.event.request_id: audit.instance for audit in store.hand_out("m", 3)}
    for request_id in ("b", "c", "a"):
        clock.now += 1
        store.put("m", [truth(request_id, "b", Source.AUDIT, places[request_id])])
    store.put("m", [truth("a", "b", Source.USER)])
    answers = {0: {"y": "a"}, 1: {"y": "b"}}
    assert store.audited("m", 3) == [
        AuditedAnswer(answers[places[request_id]], {"y": "b"}) for request_id in ("b", "a")
    ]
    assert store.audited("other", 3) == []


def test_what_was_called_is_known_of_audits_and_pairs(store: EventStore) -> None:
    """Signatures may have outputs of the same name that mean something else."""
    store.add([record("a", signature="words", instances=1, rate=1.0)])
    store.add([answered_again("a", '{"y":["b"]}')])
    store.hand_out("m", 1, "trial")
    store.put("m", [truth("a", "b", Source.AUDIT)])
    assert [each.signature for each in store.audited("m", 3)] == ["words"]
    with store.transaction() as run:
        found = audited_pairs(run, "m", "trial", candidate=4)
    assert [each.signature for each in found] == ["words"]


def answered_again(request_id: str, outputs: str, **changes: Any) -> SecondAnswer:
    known = SecondAnswer("m", request_id, NOW, "trial", 4, outputs)
    return replace(known, **changes)


def pairs(store: EventStore, rollout: str = "trial") -> list[tuple[Any, Any, Any, float]]:
    with store.transaction() as run:
        found = audited_pairs(run, "m", rollout, candidate=4)
    return [
        (each.champion["y"], each.candidate["y"], each.truth and each.truth["y"], each.weight)
        for each in found
    ]


def test_rows_that_both_versions_answered_come_with_the_truths_of_now(
    store: EventStore, clock: Clock
) -> None:
    single = {"instances": 1, "rate": 0.5}
    store.add(
        [
            record("a", outputs='{"y":["a1"]}', **single),
            answered_again("a", '{"y":["a2"]}'),
            # The candidate answered the client, and the champion again.
            record("b", version=4, outputs='{"y":["b2"]}', **single),
            answered_again("b", '{"y":["b1"]}', version=3),
            record("alone", **single),
        ]
    )
    # Of another rollout; of what is not stored; of a later request with the same id.
    store.add(
        [
            answered_again("a", '{"y":["no"]}', rollout="other"),
            answered_again("never", '{"y":["no"]}'),
            answered_again("alone", '{"y":["no"]}', answered_at=NOW + 1),
            answered_again("a", '{"y":["no"]}'),
        ]
    )
    assert pairs(store) == []  # Nobody was asked for them.
    # What both answered is handed out before the others.
    assert {audit.event.request_id for audit in store.hand_out("m", 2, "trial")} == {"a", "b"}
    assert [audit.event.request_id for audit in store.hand_out("m", 2, "trial")] == ["alone"]
    unknown = {("a1", "a2", None, 2.0), ("b1", "b2", None, 2.0)}
    assert set(pairs(store)) == unknown
    # Users' truths decide nothing; audits do, whenever they come.
    store.put("m", [truth("a", "u")])
    assert set(pairs(store)) == unknown
    store.put("m", [truth("a", "x", Source.AUDIT)])
    clock.now += 1000
    store.put("m", [truth("a", "y", Source.AUDIT), truth("b", "z", Source.AUDIT)])
    # The corrected one counts once, as it is now.
    assert set(pairs(store)) == {("a1", "a2", "y", 2.0), ("b1", "b2", "z", 2.0)}
    assert pairs(store, "other") == [("a1", "no", "y", 2.0)]


def test_many_second_answers_are_stored_at_once(store: EventStore) -> None:
    # More than one statement asks for; of two models, which have requests of the same names.
    names = [f"r{number}" for number in range(1500)]
    events = [record(each, instances=1, model=model) for each in names for model in ("m", "n")]
    store.add([*events, *(answered_again(each, '{"y":["b"]}') for each in names)])
    asked = {audit.event.request_id for audit in store.hand_out("m", 1500, "trial")}
    assert asked == set(names)
    assert [again for _, again, *_ in pairs(store)] == ["b"] * 1500


def test_second_answers_are_bounded_and_removed_with_their_requests(store: EventStore) -> None:
    event, answer = record("a"), answered_again("a", '{"y":["b","c"]}')
    store.add([event])
    store.add([answer, answer])
    store.hand_out("m", 1, "trial")
    assert store.expire(most_age_s=1000, most_bytes=event.size + answer.size) == 0
    assert store.expire(most_age_s=1000, most_bytes=event.size + answer.size - 1) == 1
    assert pairs(store) == []


YEAR_S = 365 * 86_400.0
MONTH_S = 30 * 86_400.0


def look(store: EventStore, clock: Clock, seconds: float) -> int:
    """Look every minute for so long, as a worker does; return how many were removed."""
    removed = 0
    for _ in range(int(seconds // 60)):
        clock.now += 60
        removed += store.expire(MONTH_S, 2**40)
    return removed


@pytest.mark.parametrize("jump_s", [YEAR_S, 40 * 86_400.0, -YEAR_S])
def test_a_clock_that_is_set_wrong_for_a_while_removes_nothing(
    store: EventStore, clock: Clock, jump_s: float
) -> None:
    store.add([record("r1"), record("r2")])
    store.put("m", [truth("r1", "b")])
    assert look(store, clock, 300) == 0
    clock.now += jump_s
    assert look(store, clock, 1800) == 0
    clock.now -= jump_s
    assert look(store, clock, 2 * 3600) == 0
    assert store.counts() == {"m": 2}
    # That they are too old is found out all the same.
    clock.now = NOW + MONTH_S - 3600
    assert look(store, clock, 3600) == 0
    assert look(store, clock, 600) == 2


def test_a_clock_that_was_set_right_is_believed_after_an_hour(
    store: EventStore, clock: Clock
) -> None:
    store.add([record("old")])
    assert look(store, clock, 60) == 0
    clock.now += YEAR_S
    store.add([record("new", answered_at=clock.now)])
    assert look(store, clock, 3600) == 0
    assert look(store, clock, 120) == 1
    assert store.counts() == {"m": 1}


def test_a_service_that_runs_for_minutes_a_day_removes_what_is_too_old(
    store: EventStore, clock: Clock
) -> None:
    store.add([record("old")])
    assert look(store, clock, 60) == 0
    clock.now += MONTH_S
    removed = 0
    for _ in range(2):
        clock.now += 86_400 - 600
        removed += look(store, clock, 600)
    assert removed == 1


def test_what_is_too_much_is_removed_whatever_the_clock_says(
    store: EventStore, clock: Clock
) -> None:
    store.add([record(f"r{n}", answered_at=NOW + n) for n in range(3)])
    look(store, clock, 60)
    clock.now -= YEAR_S
    assert store.expire(MONTH_S, 2 * record("r0").size) == 1
    assert store.find("m", "r0") is None


def test_audits_that_were_handed_out_while_the_clock_was_ahead_are_so_again(
    store: EventStore, clock: Clock
) -> None:
    store.add([record("a"), record("b")])
    clock.now += YEAR_S
    handed = store.hand_out("m", 2)
    assert len(handed) == 2
    clock.now -= YEAR_S
    assert store.hand_out("m", 2) == handed
    # Clocks of replicas that are a little apart take no audit away from who was handed it.
    clock.now -= 600
    assert store.hand_out("m", 2) == []
