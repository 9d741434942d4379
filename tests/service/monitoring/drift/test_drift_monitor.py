"""Counting, blocks and their record, over several workers in one folder."""

import threading
from pathlib import Path

import numpy as np
import pytest

from service.monitoring.drift import row_counting
from service.monitoring.drift.drift_monitor import DriftMonitor
from service.monitoring.drift.drift_report import drift_report
from service.monitoring.drift.evidence_blocks import AVERAGE_RUN_LENGTH
from service.monitoring.drift.row_counting import RowCounting
from service.monitoring.drift.shared_evidence import SharedEvidence
from service.monitoring.prometheus_metrics import Metrics
from service.repository.contract import Field, Signature
from service.repository.golden_examples import Tensors
from service.repository.reference.reference_file import Reference
from service.repository.reference.reference_rows import describe_rows

SIGNATURE = Signature(
    "serving_default",
    (Field(name="x", dtype="float32", shape=(None,)),),
    (
        Field(name="label", dtype="string", shape=(None,), choices=("no", "yes")),
        Field(name="p", dtype="float32", shape=(None,), minimum=0, maximum=1),
    ),
)
RANDOM = np.random.default_rng(0)


def rows(count: int, *, shift: float = 0.0) -> tuple[Tensors, Tensors]:
    x = (RANDOM.normal(size=count) + shift).astype(np.float32)
    p = 1 / (1 + np.exp(-x))
    label = np.where(p > 0.5, b"yes", b"no").astype(object)
    return {"x": x}, {"label": label, "p": p.astype(np.float32)}


@pytest.fixture(scope="module")
def reference() -> Reference:
    return describe_rows(SIGNATURE, *rows(3_000), origin="the test set", held_out=True)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def monitor(metrics: Metrics, folder: Path | None, clock: Clock) -> DriftMonitor:
    return DriftMonitor(metrics, folder, minimum_effect=0.1, clock=clock)


def answer(watched: RowCounting, count: int, *, shift: float = 0.0) -> None:
    for start in range(0, count, row_counting.MOST_ROWS):
        inputs, outputs = rows(min(row_counting.MOST_ROWS, count - start), shift=shift)
        watched.observer("serving_default")(inputs, outputs)
        watched.count()


def test_drift_is_noticed_shown_and_ends(reference: Reference) -> None:
    metrics, clock = Metrics(), Clock()
    drift = monitor(metrics, None, clock)
    watched = drift.begin("m", "1", reference)
    drift.end_due_blocks()

    def block(shift: float) -> str:
        answer(watched.counting, 500, shift=shift)
        clock.now += 61
        drift.end_due_blocks()
        observed = drift.observed("m", "1")
        assert observed is not None
        return str(drift_report(observed)["state"])

    assert {block(0.0) for _ in range(10)} == {"no drift"}
    states = [block(2.0) for _ in range(3)]
    assert states[-1] == "drift"
    shown = metrics.exposition().decode()
    assert 'understudy_drift_alarm{model="m",version="1"} 1.0' in shown
    assert 'understudy_drift_distance{field="inputs.x",model="m",version="1"}' in shown
    observed = drift.observed("m", "1")
    assert observed is not None
    report = drift_report(observed)
    assert report["fields"][0]["evidence"] >= AVERAGE_RUN_LENGTH
    assert "inputs.x" in report["sentence"]
    assert report["rows"] == 13 * 500
    assert report["expected_accuracy"]["live"]["rows"] == 13 * 500
    back = [block(0.0) for _ in range(40)]
    assert back[-1] == "no drift"
    assert 'understudy_drift_alarm{model="m",version="1"} 0.0' in metrics.exposition().decode()
    drift.end("m", "1", watched)
    assert drift.observed("m", "1") is None


def test_a_block_ends_by_rows_and_time_alone(reference: Reference) -> None:
    clock = Clock()
    drift = monitor(Metrics(), None, clock)
    watched = drift.begin("m", "1", reference)

    def blocks() -> int:
        drift.end_due_blocks()
        observed = drift.observed("m", "1")
        assert observed is not None
        return 0 if observed.known is None else observed.known.blocks

    assert blocks() == 0
    answer(watched.counting, 199)
    clock.now += 61
    assert blocks() == 0  # too few rows
    answer(watched.counting, 1)
    assert blocks() == 1
    answer(watched.counting, 900)
    assert blocks() == 1  # too early
    clock.now += 59
    assert blocks() == 1
    clock.now += 1
    assert blocks() == 2
    answer(watched.counting, 3)
    clock.now += 3_599
    assert blocks() == 2
    clock.now += 1
    assert blocks() == 3  # an hour, with any rows
    clock.now += 10_000
    assert blocks() == 3  # without any


def test_workers_share_the_evidence_and_one_at_a_time_looks(
    reference: Reference, tmp_path: Path
) -> None:
    metrics, clock = Metrics(), Clock()
    one, other = (monitor(metrics, tmp_path, clock) for _ in range(2))
    watched = [each.begin("m", "1", reference) for each in (one, other)]
    one.end_due_blocks()
    for each in watched:
        answer(each.counting, 150)
    clock.now += 61
    with SharedEvidence(tmp_path).changing() as record:
        assert record is not None
        one.end_due_blocks()
        assert record["m/1"].blocks == 0
    one.end_due_blocks()
    other.end_due_blocks()
    for each in (one, other):
        observed = each.observed("m", "1")
        assert observed is not None
        assert observed.known is not None
        assert (observed.known.blocks, observed.known.rows) == (1, 300)


def test_evidence_against_another_reference_is_not_gone_on_with(
    reference: Reference, tmp_path: Path
) -> None:
    metrics, clock = Metrics(), Clock()
    drift = monitor(metrics, tmp_path, clock)
    first = drift.begin("m", "1", reference)
    drift.end_due_blocks()
    answer(first.counting, 300)
    clock.now += 61
    drift.end_due_blocks()
    drift.end("m", "1", first)
    changed = describe_rows(SIGNATURE, *rows(500), origin="others", held_out=True)
    drift.begin("m", "1", changed)
    observed = drift.observed("m", "1")
    assert observed is not None
    assert observed.known is None
    assert drift_report(observed)["state"] == "waiting"
    # A record that is damaged is no record.
    (tmp_path / "drift.json").write_text('{"m/1": {"rows": 3}}')
    assert SharedEvidence(tmp_path).read() == {}


def test_what_is_counted_in_a_second_is_bounded(reference: Reference) -> None:
    counted: list[int] = []
    woken: list[None] = []
    counting = RowCounting(
        reference,
        lambda place, index, rows: counted.append(rows if place == 0 else 0),
        lambda amount: None,
        lambda: woken.append(None),
    )
    observe = counting.observer("serving_default")
    for _ in range(50):
        inputs, outputs = rows(64)
        observe(inputs, outputs)
    counting.count()
    # The batch that reaches the bound is noted to its end.
    assert len(woken) == -(-row_counting.MOST_ROWS // 64)
    assert sum(counted) == len(woken) * 64
    counted.clear()
    inputs, outputs = rows(50_000)
    observe(inputs, outputs)
    counting.count()
    assert sum(counted) == row_counting.MOST_ROWS


def test_other_signatures_count_their_answers_alone(reference: Reference) -> None:
    counted: dict[int, int] = {}
    counting = RowCounting(
        reference,
        lambda place, index, rows: counted.update({place: counted.get(place, 0) + rows}),
        lambda amount: None,
        lambda: None,
    )
    _, outputs = rows(30)
    counting.observer("from_file")({"x": np.array([b"file"] * 30, object)}, outputs)
    counting.count()
    names = [field.name for field in reference.fields]
    assert {names[place]: count for place, count in counted.items()} == {
        "outputs.label": 30,
        "outputs.p": 30,
    }


def test_a_field_that_does_not_fit_leaves_the_others_counted(
    reference: Reference, caplog: pytest.LogCaptureFixture
) -> None:
    counted: set[int] = set()
    counting = RowCounting(
        reference,
        lambda place, index, rows: counted.add(place),
        lambda amount: None,
        lambda: None,
    )
    _, outputs = rows(10)
    strange = {"x": np.array(["no number"] * 10, object)}
    for _ in range(2):
        counting.observer("serving_default")(strange, outputs)
        counting.count()
    assert counted == {1, 2}
    assert sum("cannot be counted" in record.message for record in caplog.records) == 1


def test_the_thread_counts_what_was_noted(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.monitoring.drift.drift_monitor._COUNT_S", 0.0)
    drift = monitor(Metrics(), None, Clock())
    watched = drift.begin("m", "1", reference)
    looked = threading.Event()
    monkeypatch.setattr(drift, "count", looked.set)
    inputs, outputs = rows(5)
    watched.counting.observer("serving_default")(inputs, outputs)
    assert looked.wait(60)
    drift.close()
