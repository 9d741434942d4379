"""Second answers: by which version, what is stored of them, and what is dropped."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from service.events.event_records import AnsweredRequest
from service.events.sampling import Inclusion, Reason
from service.events.second_answers import SecondAnswer
from service.repository.contract import Field, Signature
from service.repository.rollout_policy import Stage
from service.rollout import second_answerer as module
from service.rollout.idle_budget import IdleBudget
from service.rollout.second_answerer import SecondAnswerer
from service.runtime.traffic_split import TrafficSplit
from tests.waiting import eventually

SPLIT = TrafficSplit("trial", 1, 2, Stage.CANARY, 5.0)
INPUTS = {"x": np.ones((2, 1))}


def signature(*sensitive: str) -> Signature:
    outputs = tuple(
        Field(name=name, dtype="float64", shape=(None,), sensitive=name in sensitive)
        for name in ("y", "a", "b")
    )
    return Signature("s", (), outputs)


class Version:
    """As much of a servable as second answers use."""

    most_rows = 2

    def __init__(self, number: int, answer: Callable[[], Any] | None = None) -> None:
        self.version = number
        self.contract = {"s": signature("b")}
        self.answer = answer or (lambda: {name: np.full(2, number * 1.0) for name in "yab"})
        self.leases = 0
        self.interrupted = threading.Event()

    def predict(self, signature: Signature, inputs: Any) -> Any:
        return self.answer()

    def release(self) -> None:
        self.leases -= 1

    def interrupt(self) -> None:
        self.interrupted.set()


class Answering:
    """An answerer in a worker that is idle, or not, and what it has stored and counted."""

    def __init__(self, candidate: Version | None = None, *, is_idle: bool = True) -> None:
        self.versions = {1: Version(1), 2: candidate or Version(2)}
        self.stored: list[SecondAnswer] = []
        self.results: list[str] = []
        self.answerer = SecondAnswerer(
            SPLIT,
            1.0,
            self.lease,
            lambda: is_idle,
            IdleBudget(1),
            self.stored.append,
            self.results.append,
            stuck_after_s=0.01,
        )

    def lease(self, version: int) -> Any:
        self.versions[version].leases += 1
        return self.versions[version]

    def observe(self, version: int = 1, rows: int = 2, **changes: Any) -> None:
        known: dict[str, Any] = {
            "model": "m",
            "version": version,
            "signature": signature("a"),
            "request_id": "r",
            "answered_at": 5.0,
            "status": 200,
            "instances": 2,
            "inputs": INPUTS,
            "outputs": {},
            "inclusion": Inclusion(0.5, 0.5, Reason.SAMPLE),
            "size": 10,
        }
        self.answerer.observe(AnsweredRequest(**{**known, **changes}), {"x": np.ones((rows, 1))})


def test_the_other_version_answers_and_nothing_sensitive_is_stored() -> None:
    answering = Answering()
    for count, version in enumerate((1, 2), start=1):
        answering.observe(version)
        eventually(lambda count=count: len(answering.results) == count)
    # What either contract marks is left out.
    assert answering.stored == [
        SecondAnswer("m", "r", 5.0, "trial", 2, '{"y":[2.0,2.0]}'),
        SecondAnswer("m", "r", 5.0, "trial", 1, '{"y":[1.0,1.0]}'),
    ]
    answering.answerer.stop()
    assert [each.leases for each in answering.versions.values()] == [0, 0]


def test_what_audits_do_not_come_of_is_not_answered_again() -> None:
    answering = Answering()
    answering.observe(3)
    answering.observe(status=500, outputs=None)
    answering.observe(inclusion=Inclusion(1.0, 0.5, Reason.UNSURE))
    answering.observe(rows=3)  # More than a batch may have.
    eventually(lambda: answering.results == ["dropped"])
    assert answering.stored == []
    answering.answerer.stop()


def test_what_has_no_rows_is_answered_again_however_long_it_is() -> None:
    """Else a rollout that asks for truths would wait for pairs that never come."""
    answering = Answering()
    answering.observe(rows=3, instances=1)
    eventually(lambda: answering.results == ["answered"])
    answering.answerer.stop()


def test_failures_and_nan_are_counted_and_make_no_pair() -> None:
    for answer in (lambda: 1 / 0, lambda: {"y": np.array([np.nan, 1.0])}):
        answering = Answering(Version(2, answer))
        answering.observe()
        eventually(lambda answering=answering: answering.results == ["failed"])
        assert answering.stored == []
        answering.answerer.stop()


def test_a_busy_worker_drops_and_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    answering = Answering(is_idle=False)
    for _ in range(250):
        answering.observe()
    # The queue's bound; who hands over has not waited.
    assert answering.results.count("dropped") >= 49
    eventually(lambda: len(answering.results) > 50)
    assert answering.stored == []
    answering.answerer.stop()


def test_the_newest_is_answered_first_and_the_oldest_dropped() -> None:
    candidate, go = Version(2), threading.Event()
    candidate.answer = lambda: go.wait(60) and {"y": np.ones(2)}
    answering = Answering(candidate)
    answering.observe(request_id="running")
    eventually(lambda: answering.answerer.is_running)
    for number in range(203):
        answering.observe(request_id=str(number))
    assert answering.results == ["dropped"] * 3
    go.set()
    eventually(lambda: len(answering.stored) == 201)
    names = [each.request_id for each in answering.stored]
    assert names == ["running", *(str(number) for number in range(202, 2, -1))]
    answering.answerer.stop()


def test_what_is_too_large_for_the_queue_is_dropped_alone() -> None:
    answering = Answering(is_idle=False)
    answering.observe(request_id="small")
    answering.observe(request_id="large", size=9 * 2**20)
    assert answering.results == ["dropped"]
    answering.answerer.stop()


def test_a_candidate_that_does_not_return_is_said_and_interrupted() -> None:
    candidate = Version(2)
    candidate.answer = lambda: candidate.interrupted.wait(60) and 1 / 0
    answering = Answering(candidate)
    answering.observe()
    eventually(lambda: answering.answerer.is_candidate_stuck)
    answering.answerer.stop()
    assert candidate.interrupted.is_set()
    eventually(lambda: candidate.leases == 0)
