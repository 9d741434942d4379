"""Snapshots of truths: what they hold, and what is said while there is none."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from service.errors import NotFoundError
from service.events.errors import StoreError
from service.events.event_store import EventStore
from service.events.feedback_records import Source, Truth
from service.events.row_loss import RowLoss
from service.events.second_answers import SecondAnswer
from service.repository.contract import Field
from service.repository.rollout_policy import Rollout, Stage
from service.rollout import truth_reader as module
from service.rollout.paired_quality import PairedQuality
from service.rollout.truth_reader import TruthReader
from tests.service.events.stores import NOW, record, store_in
from tests.waiting import eventually

ROLLOUT = Rollout("trial", 3, 4, Stage.CANARY, 5.0)
LOSS = RowLoss(Field(name="y", dtype="string", shape=(None,)), "error rate", "", 1.0)
UNREAD = "The truths have not been read yet."


def reader_of(store: EventStore) -> TruthReader:
    return TruthReader(store, "m", lambda version: LOSS)


def test_a_late_truth_counts_and_a_corrected_one_counts_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_LEAST_REST_S", 0.0)
    monkeypatch.setattr(module, "_REST", 0)
    read, may_read = module.audited_pairs, threading.Event()
    monkeypatch.setattr(module, "audited_pairs", lambda *given: may_read.wait(60) and read(*given))
    store = store_in(tmp_path / "events.db")
    store.add(
        [
            *(record(name, instances=1, outputs='{"y":["a"]}', rate=1.0) for name in "pq"),
            *(SecondAnswer("m", name, NOW, "trial", 4, '{"y":["b"]}') for name in "pq"),
        ]
    )
    store.hand_out("m", 2, "trial")
    reader = reader_of(store)
    before = PairedQuality(truths=7)
    # Until it is read, what another controller knew holds, and promotes nothing.
    assert reader.latest(ROLLOUT, before) == replace(before, problem=UNREAD)
    may_read.set()

    def becomes(truths: int, lost: int, won: int) -> None:
        def found() -> bool:
            last = reader.latest(ROLLOUT, None)
            return (last.problem, last.truths, last.lost, last.won) == ("", truths, lost, won)

        eventually(found)

    becomes(0, 0, 0)
    store.put("m", [Truth("p", 0, Source.AUDIT, {"y": "a"})])
    becomes(1, 1, 0)
    store.put("m", [Truth("p", 0, Source.AUDIT, {"y": "b"})])
    becomes(1, 0, 1)
    store.put("m", [Truth("q", 0, Source.AUDIT, {"y": "c"})])
    becomes(2, 0, 1)
    # Another rollout has truths of its own.
    other = replace(ROLLOUT, id="next")
    may_read.clear()
    assert reader.latest(other, None).problem == UNREAD
    may_read.set()
    store.close()


def test_a_store_that_fails_is_said_and_not_waited_for(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "_LEAST_REST_S", 0.0)
    monkeypatch.setattr(module, "_REST", 0)
    store = store_in(tmp_path / "none" / "events.db")
    reader = reader_of(store)
    shown = "The truths cannot be read now."
    eventually(lambda: reader.latest(ROLLOUT, None).problem == shown)
    (tmp_path / "none").mkdir()
    eventually(lambda: reader.latest(ROLLOUT, None).problem == "")

    def refuse() -> None:
        raise StoreError("It is gone.")

    monkeypatch.setattr(store, "transaction", refuse)
    # What was read last holds for a while.
    assert reader.latest(ROLLOUT, None).problem == ""
    monkeypatch.setattr(module, "_STALE_S", -1.0)
    eventually(lambda: reader.latest(ROLLOUT, None).problem == shown)


def test_a_champion_that_does_not_serve_yet_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After each restart the truths are read before the versions are loaded."""

    def loss_of(version: int) -> RowLoss | None:
        raise NotFoundError(f"Version {version} does not serve.")

    store = store_in(tmp_path / "events.db")
    store.make()
    reader = TruthReader(store, "m", loss_of)
    eventually(lambda: reader.latest(ROLLOUT, None).problem == "Version 3 does not serve.")
    assert "Truths cannot be read." not in caplog.text
    store.close()
