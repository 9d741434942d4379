"""Requests that are stored many at once: they come back as if each had been stored by itself."""

import itertools
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from service.events.bundle_format import unpack_records
from service.events.event_records import AnsweredRequest, EventRecord
from service.events.event_store import LEAST_BUNDLED, EventStore
from service.events.event_store_location import open_database
from service.events.feedback_records import Result, Source, Truth
from service.events.sampling import Inclusion, Reason, audit_order
from service.events.second_answers import SecondAnswer, audited_pairs
from service.repository.contract import Field, Signature
from tests.service.events.postgres import postgres, postgres_url
from tests.service.events.stores import NOW, Clock, packed, record_of, store_in

__all__ = ["postgres", "postgres_url"]

SIGNATURE = Signature(
    "serving_default",
    (
        Field(name="x", dtype="float32", shape=(None, 2)),
        Field(name="text", dtype="string", shape=(None,)),
        Field(name="who", dtype="string", shape=(None,), sensitive=True),
    ),
    (
        Field(name="y", dtype="int64", shape=(None,)),
        Field(name="secret", dtype="float32", shape=(None,), sensitive=True),
    ),
)
WITHOUT_ROWS = Signature(
    "without_rows",
    (Field(name="x", dtype="bool", shape=()), Field(name="text", dtype="string", shape=(1,))),
    (Field(name="y", dtype="float64", shape=(1,)),),
)
SAMPLED = Inclusion(0.1, 0.1, Reason.SAMPLE)
MANY = 150


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[EventStore]:
    """An empty store in a file."""
    found = store_in(path, clock)
    yield found
    found.close()


def answered(request_id: str, **changes: Any) -> AnsweredRequest:
    """Return a request of one instance that was answered."""
    known: dict[str, Any] = {
        "model": "m",
        "version": 3,
        "signature": SIGNATURE,
        "request_id": request_id,
        "answered_at": NOW,
        "status": 200,
        "instances": 1,
        "inputs": {
            "x": np.array([[1, np.nan]], np.float32),
            "text": np.array([b"\xff"], object),
            "who": np.array([b"Bob"], object),
        },
        "outputs": {"y": np.array([7]), "secret": np.ones(1, np.float32)},
        "inclusion": SAMPLED,
        "size": 50,
    }
    return AnsweredRequest(**{**known, **changes})


def many(prefix: str = "r", **changes: Any) -> list[AnsweredRequest]:
    return [answered(f"{prefix}{number:03}", **changes) for number in range(MANY)]


def ids(store: EventStore, model: str = "m") -> list[str]:
    return [event.request_id for event, _ in store.events(model)]


def tables(path: Path) -> dict[str, int]:
    """Return how many rows the tables of events have."""
    with closing(sqlite3.connect(path)) as reader:
        return {
            name: reader.execute(f"SELECT COUNT(*) FROM understudy_{name}").fetchone()[0]
            for name in ("events", "event_bundles")
        }


def truth(request_id: str, value: int, source: Source = Source.USER, instance: int = 0) -> Truth:
    return Truth(request_id, instance, source, {"y": value})


def test_requests_come_back_as_if_each_were_a_row(store: EventStore, path: Path) -> None:
    """Of several models, versions, signatures, shapes; failed ones; what is no plain numbers."""
    odd = [
        answered("failed", status=500, outputs=None, inclusion=Inclusion(1.0, 0.1, Reason.ERROR)),
        answered("wide", inputs={"x": np.arange(8, dtype=np.float32).reshape(2, 4)[:, ::2]}),
        answered("several", instances=2, inputs={"x": np.zeros((2, 2), np.float32)}),
        answered("empty", instances=0, inputs={"x": np.zeros((0, 2), np.float32)}),
        answered(
            "single",
            version=4,
            signature=WITHOUT_ROWS,
            inputs={"x": np.array(True), "text": np.array([b"a"], object)},
            outputs={"y": np.array([np.inf])},
        ),
        answered("half", inputs={"x": np.array([[1, 2]], np.float16)}),
        answered('"é"', inputs={"text": np.array([["é".encode(), b""]], object)}),
    ]
    requests = [*many()[:100], *odd, *many("s")[100:]]
    others = many("o", model="é😀")
    store.add(packed([*requests, *others]))
    assert tables(path) == {"events": 0, "event_bundles": 2}
    assert store.counts() == {"m": len(requests), "é😀": MANY}
    expected = [record_of(each) for each in requests]
    assert [event for event, truths in store.events("m") if not truths] == expected
    found = store.find_all("m", [each.request_id for each in (*requests, *others)])
    assert found == {each.request_id: each for each in expected}
    assert store.find("é😀", "o007") == record_of(others[7])
    assert store.find("é😀", "r007") is None
    assert b"Bob" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_few_are_rows_that_anybody_may_query(store: EventStore, path: Path) -> None:
    store.add(packed(many()[: LEAST_BUNDLED - 1]))
    assert tables(path) == {"events": LEAST_BUNDLED - 1, "event_bundles": 0}


def test_in_postgresql_all_are_rows(postgres_url: str) -> None:
    database = open_database(postgres_url)
    with database.transaction() as run:
        for table in ("second_answers", "audits", "truths", "events", "event_bundles", "store"):
            run.change(f"DROP TABLE IF EXISTS understudy_{table}", {})
    store = EventStore(database)
    store.add(packed(many()))
    with database.transaction() as run:
        assert run.rows("SELECT COUNT(*) FROM understudy_events", {})[0][0] == MANY
    database.close()


def test_what_is_added_again_after_an_error_is_there_once(store: EventStore) -> None:
    store.add(packed(many()))
    store.add(packed(many()))
    assert store.counts() == {"m": MANY}


def test_of_an_id_that_came_twice_the_first_is_found(store: EventStore) -> None:
    store.add(packed(many()))
    store.add(packed(replace(each, answered_at=NOW + 1, version=4) for each in many()))
    assert store.find("m", "r001").version == 3
    store.put("m", [truth("r001", 7)])
    assert store.find("m", "r001").version == 3
    assert [event.version for event, _ in store.events("m") if event.request_id == "r001"] == [3]


def test_imported_ones_are_not_stored_twice(store: EventStore) -> None:
    store.add(packed(many()))
    store.add([record_of(each) for each in many()[:20]])
    assert store.counts() == {"m": MANY}
    assert sorted(ids(store)) == [each.request_id for each in many()]


def test_what_has_a_truth_is_a_row(store: EventStore, path: Path) -> None:
    store.add(packed(many()))
    assert store.put("m", [truth("r007", 7), truth("r107", 8), truth("never", 7)]) == [
        Result.STORED,
        Result.STORED,
        Result.NOT_SAMPLED,
    ]
    assert store.put("m", [truth("r007", 7)]) == [Result.UNCHANGED]
    assert store.put("m", [truth("r007", 9)]) == [Result.CORRECTED]
    assert tables(path) == {"events": 2, "event_bundles": 1}
    assert store.counts() == {"m": MANY}
    labelled = {event.request_id: [t.values["y"] for t in ts] for event, ts in store.events("m")}
    assert labelled == {each.request_id: [] for each in many()} | {"r007": [9], "r107": [8]}
    only = [(event, len(truths)) for event, truths in store.events("m", labelled_only=True)]
    assert only == [(record_of(answered("r007")), 1), (record_of(answered("r107")), 1)]


def test_audits_come_in_their_order_whenever_somebody_asks(store: EventStore, path: Path) -> None:
    error = {"status": 500, "outputs": None}
    unsure = {"inclusion": Inclusion(1.0, 0.1, Reason.UNSURE)}
    store.add(packed([*many(), *many("failed", **error), *many("unsure", **unsure)]))
    handed = store.hand_out("m", 3)
    # Some are rows now: those that come first.
    assert 0 < tables(path)["events"] < MANY // 3
    store.add(packed(many("later", answered_at=NOW + 1)))
    handed += store.hand_out("m", 1)
    handed += store.hand_out("m", 1000)
    names = [audit.event.request_id for audit in handed]
    first = sorted([each.request_id for each in many()], key=audit_order)
    assert names[:3] == first[:3]
    rest = [*first[3:], *(each.request_id for each in many("later"))]
    assert names[3:] == sorted(rest, key=audit_order)
    assert store.put("m", [truth(names[5], 7, Source.AUDIT)]) == [Result.STORED]
    (labelled,) = store.events("m", labelled_only=True)
    assert labelled[1][0].weight == 10
    assert len(store.audited("m", 3)) == 1


@pytest.mark.parametrize("at_once", [True, False])
def test_second_answers_to_them_are_stored(store: EventStore, path: Path, at_once: bool) -> None:
    store.add(packed(many("old", answered_at=NOW - 1)))
    again = SecondAnswer("m", "r007", NOW, "trial", 4, '{"y":[8]}')
    both = [[*packed(many()), again]] if at_once else [packed(many()), [again]]
    for entries in both:
        store.add(entries)
    assert tables(path) == {"events": 1, "event_bundles": 2}
    assert store.counts() == {"m": 2 * MANY}
    (audit,) = store.hand_out("m", 1, "trial")
    assert audit.event.request_id == "r007"
    with store.transaction() as run:
        (pair,) = audited_pairs(run, "m", "trial", candidate=4)
    assert (pair.champion["y"], pair.candidate["y"]) == (7, 8)


def test_they_expire(store: EventStore, clock: Clock, path: Path) -> None:
    store.add(packed([*many(), *many("other", model="n")]))
    store.put("m", [truth("r007", 7)])
    clock.now += 1000
    store.add(packed(many("new", answered_at=clock.now)))
    assert store.expire(most_age_s=1001, most_bytes=2**40) == 0
    # The one with a truth counts once.
    assert store.expire(most_age_s=999, most_bytes=2**40) == 2 * MANY
    assert store.counts() == {"m": MANY}
    assert tables(path) == {"events": 0, "event_bundles": 1}


def test_the_oldest_go_first_when_there_is_too_much(store: EventStore, path: Path) -> None:
    """Bundles and rows by their age; what has a truth goes last."""
    store.add(packed(many("a")))
    store.add(packed([answered("b", answered_at=NOW + 1)]))
    store.add(packed(many("c", answered_at=NOW + 2)))
    store.add(packed([answered("d", answered_at=NOW + 3)]))
    store.put("m", [truth("a007", 7)])
    with closing(sqlite3.connect(path)) as reader:
        bundle, row = (
            reader.execute(f"SELECT MAX(bytes) FROM understudy_{name}").fetchone()[0]
            for name in ("event_bundles", "events")
        )
    assert store.expire(most_age_s=1000, most_bytes=2 * bundle + 3 * row) == 0
    assert store.expire(most_age_s=1000, most_bytes=bundle + 3 * row) == MANY
    assert store.expire(most_age_s=1000, most_bytes=bundle + 2 * row) == 1
    assert store.counts() == {"m": MANY + 2}
    assert store.find("m", "b") is None
    assert store.expire(most_age_s=1000, most_bytes=row) == MANY + 1
    assert ids(store) == ["a007"]
    assert store.expire(most_age_s=1000, most_bytes=0) == 1


@pytest.mark.parametrize("before", [1, 2])
def test_a_store_of_a_format_before_is_taken_over(
    store: EventStore, path: Path, before: int
) -> None:
    store.add(packed([answered("old")]))
    store.put("m", [truth("old", 7)])
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if before == 1:
            connection.execute("DROP TABLE understudy_event_bundles")
        connection.execute("UPDATE understudy_store SET format = ?", (before,))
    newer = store_in(path)
    newer.add(packed(many()))
    assert newer.counts() == {"m": MANY + 1}
    assert [event.request_id for event, _ in newer.events("m", labelled_only=True)] == ["old"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT format FROM understudy_store").fetchall() == [(3,)]


def test_a_process_that_is_killed_leaves_whole_bundles(path: Path) -> None:
    """At whatever moment: what it has been told is stored is there, and all of each bundle."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            own = store_in(path)
            for number in itertools.count():
                own.add(packed(many(f"{number}-")))
                os.write(writer, b".")
        finally:
            os._exit(1)
    os.close(writer)
    told = b"".join(os.read(reader, 1) for _ in range(5))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    told += os.read(reader, 2**16)
    os.close(reader)
    (count,) = store_in(path).counts().values()
    assert count in (len(told) * MANY, (len(told) + 1) * MANY)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_has_no_json_is_left_out_whole() -> None:
    """Also when a part of it could be packed."""
    (together,) = packed(many()[:3])
    bad = answered("bad", inputs={"x": np.ones((1, 2)), "text": np.array([[1j]])})
    with pytest.raises(TypeError):
        together.add(bad)
    together.add(answered("last"))
    found = unpack_records("m", together.to_bytes(), lambda *_: True)
    assert list(found) == [record_of(each) for each in [*many()[:3], answered("last")]]
    assert (len(together), together.reasons) == (4, {Reason.SAMPLE: 4})


def test_bundles_of_before_are_read() -> None:
    """Their layouts have the length of each text, and so each text a layout of its own."""
    texts = (b'["good"]', b'["not so good"]')
    head = {
        "layouts": [
            [
                3,
                "serving_default",
                False,
                [["text", len(text), None], ["x", "<f4", [1, 2]]],
                outputs,
            ]
            for text, outputs in zip(texts, ([["y", "<i8", [1]]], None), strict=True)
        ],
        "events": [
            ["a", NOW, 200, 1, 0.1, 0.1, "sample", 0],
            ["b", NOW, 500, 1, 0.1, 0.1, "sample", 1],
            ["c", NOW, 200, 1, 0.1, 0.1, "sample", 0],
        ],
    }
    numbers, answer = np.float32([[1, 2]]).tobytes(), np.int64([7]).tobytes()
    values = [texts[0], numbers, answer, texts[1], numbers, texts[0], numbers, answer]
    described = orjson.dumps(head)
    body = b"".join([len(described).to_bytes(8, "little"), described, *values])
    found = unpack_records("m", body, lambda request_id, *_: request_id != "a")
    assert [(each.request_id, each.inputs, each.outputs) for each in found] == [
        ("b", '{"text":["not so good"],"x":[[1.0,2.0]]}', None),
        ("c", '{"text":["good"],"x":[[1.0,2.0]]}', '{"y":[7]}'),
    ]


def test_numbers_of_another_type_than_the_contract_s_are_stored() -> None:
    """As JSON, since the type is not written down for each request."""
    (together,) = packed([answered("a", inputs={"x": np.array([[1, 2]], np.float64)})])
    (found,) = unpack_records("m", together.to_bytes(), lambda *_: True)
    assert found.inputs == '{"x":[[1.0,2.0]]}'


def test_a_record_equals_that_of_its_request() -> None:
    """So that nothing above compares what is wrong in both."""
    assert record_of(answered("a")) == EventRecord(
        model="m",
        request_id="a",
        answered_at=NOW,
        version=3,
        signature="serving_default",
        status=200,
        instances=1,
        probability=0.1,
        rate=0.1,
        reason=Reason.SAMPLE,
        inputs='{"x":[[1.0,null]],"text":[{"b64":"/w=="}]}',
        outputs='{"y":[7]}',
    )
