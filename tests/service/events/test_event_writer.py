"""The writer: never waits, loses what it must and counts it, goes on when the store comes back."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.events.bundle_format import PackedRequests
from service.events.errors import RecordError
from service.events.event_log import EventLog
from service.events.event_records import AnsweredRequest, EventRecord, size_of
from service.events.event_store import EventStore
from service.events.event_writer import MOST_BYTES, EventWriter
from service.events.sampling import inclusion, sampling_point
from service.events.sqlite_database import SqliteDatabase
from service.monitoring.prometheus_metrics import Metrics
from service.repository.contract import Field, Signature
from service.repository.event_rates import EventRates
from service.repository.golden_examples import Tensors
from service.repository.model_policy import Policy, policy_from_json
from tests.service.events.postgres import Postgres, postgres
from tests.service.events.stores import record
from tests.small_file_system import small_file_system
from tests.waiting import eventually

__all__ = ["postgres"]

SIGNATURE = Signature(
    "serving_default",
    (
        Field(name="x", dtype="float32", shape=(None, 2)),
        Field(name="text", dtype="string", shape=(None,)),
        Field(name="who", dtype="string", shape=(None,), sensitive=True),
    ),
    (
        Field(name="y", dtype="float32", shape=(None,)),
        Field(name="secret", dtype="float32", shape=(None,), sensitive=True),
    ),
)
INPUTS = {
    "x": np.array([[1, 2], [np.nan, 4.5]], np.float32),
    "text": np.array(["é".encode(), b"\xff"], object),
    "who": np.array([b"Ann", b"Bob"], object),
}
OUTPUTS = {"y": np.array([0.5, 1], np.float32), "secret": np.array([3, 4], np.float32)}


@dataclass
class Prediction:
    """As much of a prediction as the log uses."""

    inputs: Any
    model: str = "m"

    @property
    def body_bytes(self) -> int:
        return sum(getattr(each, "nbytes", 0) for each in self.inputs.values())

    def to_event(
        self,
        rates: Mapping[str, EventRates],
        request_id: str,
        answered_at: float,
        status: int,
        outputs: Tensors | None,
    ) -> AnsweredRequest | None:
        included = inclusion(rates[self.model], request_id, status, outputs)
        size = size_of(self.inputs) + size_of(outputs)
        about = (self.model, 3, SIGNATURE, request_id, answered_at, status, 2, self.inputs, outputs)
        return AnsweredRequest(*about, included, size) if included else None


class Logged:
    """An event log whose events are all in the sample, and what it has counted."""

    def __init__(self, store: EventStore, **options: object) -> None:
        self.store = store
        self.metrics = Metrics()
        quick = {"gather_s": 0.01, "retry_s": 0.02, "most_age_s": 1e9, "most_bytes": 2**40}
        self.writer = EventWriter(store, self.metrics, **{**quick, **options})
        self.log = EventLog(store, self.writer, self.metrics, EventRates(1))

    def note(self, request_id: str, inputs: dict[str, object] = INPUTS, status: int = 200) -> None:
        self.see(request_id, inputs, status)
        # As after many requests.
        self.writer.gather()

    def see(self, request_id: str, inputs: dict[str, object] = INPUTS, status: int = 200) -> None:
        outputs = OUTPUTS if status == 200 else None
        self.log.see([(request_id, Prediction(inputs), status, outputs)])

    def value(self, name: str, **labels: str) -> float:
        return sum(
            sample.value
            for sample in self.metrics.samples()
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def lost(self) -> float:
        return self.value("understudy_events_lost_total")

    def stored(self) -> float:
        return self.value("understudy_events_total")

    def problem(self) -> float:
        return self.value("understudy_event_store_problem")


Start = Callable[..., Logged]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Logged] = []

    def make(store: EventStore, **options: object) -> Logged:
        started.append(Logged(store, **options))
        return started[-1]

    yield make
    for each in started:
        each.writer.stop(10)
        each.store.close()


def test_losses_are_counted_from_0(start: Start, tmp_path: Path) -> None:
    """Prometheus sees no increase in a series that begins with its first count."""
    events = start(EventStore(SqliteDatabase(tmp_path / "events.db")))
    assert not [s for s in events.metrics.samples() if s.name == "understudy_events_lost_total"]
    events.log.follow_policy("m", Policy())
    found = {
        (sample.labels["model"], sample.labels["reason"]): sample.value
        for sample in events.metrics.samples()
        if sample.name == "understudy_events_lost_total"
    }
    assert found == {("m", "queue"): 0, ("m", "record"): 0, ("m", "store"): 0}


def test_what_is_sensitive_is_not_stored(start: Start, tmp_path: Path) -> None:
    events = start(EventStore(SqliteDatabase(tmp_path / "e.db")))
    events.note("a")
    events.note("b", status=500)
    eventually(lambda: events.stored() == 2)
    found = events.store.find("m", "a")
    assert found.inputs == '{"x":[[1.0,2.0],[null,4.5]],"text":["é",{"b64":"/w=="}]}'
    assert found.outputs == '{"y":[0.5,1.0]}'
    assert events.store.find("m", "b").outputs is None
    events.writer.stop(10)
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"Bob" not in written


def test_what_is_noted_alone_is_stored_soon(start: Start, tmp_path: Path) -> None:
    events = start(EventStore(SqliteDatabase(tmp_path / "e.db")))
    events.see("a")
    eventually(lambda: events.stored() == 1)
    events.see("last")
    events.writer.stop(10)
    assert events.store.counts() == {"m": 2}


def test_much_is_passed_on_before_the_writer_asks(start: Start, tmp_path: Path) -> None:
    """Many requests or a large one, so that memory is bounded while the writer cannot write."""
    events = start(
        EventStore(SqliteDatabase(tmp_path / "none" / "e.db")), most_queued=3, retry_s=60
    )
    events.note("first")
    # The writer has taken it, and tries again in a minute.
    eventually(lambda: events.problem() == 1 and events.writer._queued == 0)
    events.see("a")
    large = {"x": np.ones((2, 4000), np.float32)}
    events.see("b", large)
    assert events.writer._queued == 2
    for number in range(100):
        events.see(f"r{number}")
    # At most 31 wait to be passed on.
    assert events.lost() >= 100 - 1 - 31


def test_what_finds_the_queue_full_is_dropped_and_counted(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    EventStore(SqliteDatabase(path)).make()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    events = start(EventStore(SqliteDatabase(path, busy_s=0.01)), most_queued=5)
    events.note("first")
    eventually(lambda: events.problem() == 1)
    for number in range(20):
        events.note(f"r{number}")
    # Who hands over has not waited; the first may be in the writer's hands.
    assert events.lost() == 15
    holder.execute("ROLLBACK")
    holder.close()
    eventually(lambda: events.problem() == 0)
    eventually(lambda: events.stored() == 6)
    assert events.store.counts() == {"m": 6}


def test_what_is_too_large_is_not_stored(start: Start, tmp_path: Path) -> None:
    events = start(EventStore(SqliteDatabase(tmp_path / "e.db")))
    events.note("a", {"x": np.zeros((2, MOST_BYTES // 8), np.float32)})
    events.note("b", {"text": np.array([b"x" * MOST_BYTES], object)})
    assert events.value("understudy_events_lost_total", reason="large") == 2


def test_nothing_that_fails_reaches_who_answers(start: Start, tmp_path: Path) -> None:
    events = start(EventStore(SqliteDatabase(tmp_path / "e.db")))
    events.note("a", {"x": "no tensor"})
    assert events.value("understudy_events_lost_total", reason="record") == 1


def test_models_are_sampled_at_their_own_rates(start: Start, tmp_path: Path) -> None:
    events = start(EventStore(SqliteDatabase(tmp_path / "e.db")))
    events.log.follow_policy("rare", policy_from_json({"events": {"rate": 0.25}}))
    names = [f"r{number}" for number in range(400)]
    events.log.see(
        [
            (each, Prediction(INPUTS, model), 200, OUTPUTS)
            for each in names
            for model in ("m", "rare")
        ]
    )
    few = sum(sampling_point(each) < 0.25 for each in names)
    eventually(lambda: events.store.counts() == {"m": 400, "rare": few})


def test_an_observer_that_fails_stops_nothing(start: Start, tmp_path: Path) -> None:
    events = start(EventStore(SqliteDatabase(tmp_path / "e.db")))
    seen: list[str] = []

    def observe(request: AnsweredRequest, inputs: Tensors) -> None:
        seen.append(request.request_id)
        raise ValueError(request.request_id)

    events.log.observers["m"] = observe
    # The second batch from the writer's own thread.
    events.note("a")
    events.see("b")
    eventually(lambda: events.store.counts() == {"m": 2})
    assert seen == ["a", "b"]
    events.see("c")
    eventually(lambda: events.store.counts() == {"m": 3})


def test_a_record_that_is_refused_is_lost_alone(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EventStore(SqliteDatabase(tmp_path / "e.db"))
    add = store.add

    def refuse(entries: list[PackedRequests | EventRecord]) -> None:
        for each in entries:
            if "bad" in (each.ids if isinstance(each, PackedRequests) else [each.request_id]):
                raise RecordError("It is refused.")
        add(entries)

    monkeypatch.setattr(store, "add", refuse)
    events = start(store)
    for each in ("a", "bad", "b"):
        events.note(each)
    eventually(lambda: events.stored() == 2)
    assert events.value("understudy_events_lost_total", reason="record") == 1


def test_one_of_many_that_has_no_json_is_lost_alone(start: Start, tmp_path: Path) -> None:
    events = start(EventStore(SqliteDatabase(tmp_path / "e.db")), gather_s=0.2)
    for number in range(200):
        events.note(f"r{number}", {"x": np.array([[1j]])} if number == 70 else INPUTS)
    eventually(lambda: events.stored() == 199)
    assert events.value("understudy_events_lost_total", reason="record") == 1
    assert events.store.counts() == {"m": 199}
    assert events.store.find("m", "r199") is not None


def test_a_full_disk_loses_nothing_that_the_queue_holds(start: Start, tmp_path: Path) -> None:
    with small_file_system(tmp_path / "small", "1m") as folder:
        events = start(EventStore(SqliteDatabase(folder / "e.db", busy_s=0.01)))
        events.note("before")
        eventually(lambda: events.stored() == 1)
        with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        events.note("large", {"x": np.ones((2, 20_000), np.float32)})
        eventually(lambda: events.problem() == 1)
        (folder / "filler").unlink()
        eventually(lambda: events.stored() == 2)
        assert events.problem() == 0
        assert events.lost() == 0
        events.writer.stop(10)
        events.store.close()
        with closing(sqlite3.connect(folder / "e.db")) as reader:
            assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_postgresql_that_goes_away_is_waited_for(start: Start, postgres: Postgres) -> None:
    from service.events.event_store_location import open_database

    events = start(EventStore(open_database(postgres.url)), most_queued=3)
    events.note("before")
    eventually(lambda: events.stored() == 1)
    postgres.stop()
    try:
        events.note("while it is away")
        eventually(lambda: events.problem() == 1)
        for number in range(5):
            events.note(f"r{number}")
        assert events.lost() == 2
    finally:
        postgres.start()
    eventually(lambda: events.stored() == 5)
    assert events.problem() == 0


def test_stopping_writes_what_waits(start: Start, tmp_path: Path) -> None:
    store = EventStore(SqliteDatabase(tmp_path / "e.db"))
    events = start(store, gather_s=60)
    for number in range(10):
        events.note(f"r{number}")
    events.writer.stop(10)
    assert store.counts() == {"m": 10}


def test_what_cannot_be_written_does_not_hold_up_the_end(start: Start, tmp_path: Path) -> None:
    events = start(EventStore(SqliteDatabase(tmp_path / "none" / "e.db")), retry_s=60)
    events.note("a")
    eventually(lambda: events.problem() == 1)
    thread = events.writer._thread
    assert thread is not None
    events.writer.stop(60)
    assert not thread.is_alive()
    assert events.value("understudy_events_lost_total", reason="store") == 1


def test_retention_runs_by_itself(start: Start, tmp_path: Path) -> None:
    store = EventStore(SqliteDatabase(tmp_path / "e.db"))
    store.add([record("old", answered_at=1.0)])
    events = start(store, most_age_s=86_400.0)
    events.note("new")
    eventually(lambda: [event.request_id for event, _ in store.events("m")] == ["new"])
