"""Requests that wait together run together; each gets its own answer or its own error."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from typing import Any

import numpy as np
import pytest

from service.errors import AbandonedError, DeadlineError, InvalidRequestError, ServiceError
from service.repository.golden import Tensors
from service.runtime.batching import Batcher
from service.runtime.execution import Execution


class Doubler:
    """A model that can be held up, and that refuses negative numbers."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Semaphore(0)

    def __call__(self, inputs: Tensors) -> Tensors:
        self.entered.release()
        assert self.go.wait(10)
        self.batches.append(inputs["x"][:, 0].tolist())
        if (inputs["x"] < 0).any():
            raise InvalidRequestError(f"Refused {inputs['x'].min()}.")
        return {"y": inputs["x"] * 2}


class Stage:
    """A batcher over a doubler, and threads that ask it."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        *,
        batched: bool = True,
        most: int = 8,
        is_bounded: bool = True,
        **options: Any,
    ) -> None:
        self.model = Doubler()
        self.noted: list[int] = []
        self._pool = pool
        self.batcher = Batcher(
            self.model,
            batched=batched,
            most_rows=most,
            note_batch=lambda rows, seconds: self.noted.append(rows),
            execution=Execution(is_bounded=is_bounded),
            **options,
        )

    def ask(
        self,
        *values: float,
        seconds: float = 10,
        is_gone: Callable[[], bool] = lambda: False,
        width: int = 1,
    ) -> "Future[list[float]]":
        x = np.repeat(np.array(values, dtype=np.float32)[:, None], width, axis=1)
        deadline = monotonic() + seconds

        def run() -> list[float]:
            outputs, _ = self.batcher.run({"x": x}, deadline=deadline, is_gone=is_gone)
            answer: list[float] = outputs["y"][:, 0].tolist()
            return answer

        return self._pool.submit(run)

    def ask_all(self, *requests: tuple[float, ...]) -> "list[Future[list[float]]]":
        """Ask while the model is held up by a first request, in this order."""
        self.model.go.clear()
        futures = [self.ask(100.0)]
        assert self.model.entered.acquire(timeout=10)
        for number, values in enumerate(requests):
            futures.append(self.ask(*values))
            self.until_waiting(number + 1)
        return futures

    def until_waiting(self, count: int) -> None:
        end = monotonic() + 10
        while len(self.batcher._waiting) != count:
            assert monotonic() < end
            threading.Event().wait(0.001)


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(32)


@pytest.fixture(params=[True, False], ids=["here", "own thread"])
def stage(
    pool: ThreadPoolExecutor, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Stage:
    # Calls that are held up are slow; they shall run where they are asked for all the same.
    monkeypatch.setattr(Execution, "is_quick", lambda self, rows: request.param)
    return Stage(pool)


def test_an_idle_signature_runs_on_the_thread_that_asks() -> None:
    threads = []

    def call(inputs: Tensors) -> Tensors:
        threads.append(threading.current_thread())
        return inputs

    batcher = Batcher(call, batched=True, most_rows=8, note_batch=lambda rows, seconds: None)
    inputs = {"x": np.zeros((2, 1))}
    outputs, waited = batcher.run(inputs, deadline=monotonic() + 10, is_gone=lambda: False)
    assert outputs is inputs
    assert waited == 0
    assert threads == [threading.current_thread()]


def test_what_arrives_meanwhile_is_the_next_batch(stage: Stage) -> None:
    futures = stage.ask_all((1,), (2, 3), (4,))
    stage.model.go.set()
    assert [future.result(10) for future in futures] == [[200], [2], [4, 6], [8]]
    assert stage.model.batches == [[100], [1, 2, 3, 4]]
    assert stage.noted == [1, 4]


def test_a_batch_holds_no_more_rows_than_allowed(stage: Stage) -> None:
    futures = stage.ask_all((1, 2, 3), (4, 5, 6), (7, 8, 9), (10,))
    stage.model.go.set()
    assert [future.result(10) for future in futures[1:]] == [
        [2, 4, 6],
        [8, 10, 12],
        [14, 16, 18],
        [20],
    ]
    assert stage.model.batches == [[100], [1, 2, 3, 4, 5, 6], [7, 8, 9, 10]]


def test_a_request_larger_than_a_batch_is_divided(stage: Stage) -> None:
    values = list(range(20))
    assert stage.ask(*values).result(10) == [2 * value for value in values]
    assert [len(batch) for batch in stage.model.batches] == [8, 8, 4]


def test_others_run_between_the_parts_of_a_large_request(stage: Stage) -> None:
    stage.model.go.clear()
    large = stage.ask(*range(16))
    assert stage.model.entered.acquire(timeout=10)
    small = stage.ask(50)
    stage.until_waiting(1)
    stage.model.go.set()
    assert small.result(10) == [100]
    assert large.result(10) == [2 * value for value in range(16)]
    assert stage.model.batches.index([50]) == 1


def test_only_the_guilty_request_fails(stage: Stage) -> None:
    futures = stage.ask_all((1,), (-2, 2), (3,), (-4,))
    stage.model.go.set()
    assert futures[1].result(10) == [2]
    assert futures[3].result(10) == [6]
    for future, text in ((futures[2], "Refused -2.0."), (futures[4], "Refused -4.0.")):
        with pytest.raises(InvalidRequestError, match=text):
            future.result(10)


def test_a_lone_request_that_fails_leaves_the_signature_usable(stage: Stage) -> None:
    with pytest.raises(InvalidRequestError):
        stage.ask(-1).result(10)
    assert stage.ask(1).result(10) == [2]


def test_requests_of_different_shapes_do_not_run_together(stage: Stage) -> None:
    futures = stage.ask_all((1,))
    futures.append(stage.ask(2, width=3))
    stage.until_waiting(2)
    stage.model.go.set()
    assert [future.result(10) for future in futures] == [[200], [2], [4]]
    assert stage.model.batches == [[100], [1], [2]]


def test_a_signature_that_cannot_be_batched_runs_one_by_one(pool: ThreadPoolExecutor) -> None:
    stage = Stage(pool, batched=False, most=1)
    futures = stage.ask_all((1, 2), (3,))
    stage.model.go.set()
    assert [future.result(10) for future in futures] == [[200], [2, 4], [6]]
    assert stage.model.batches == [[100], [1, 2], [3]]


def test_answers_that_are_not_row_by_row_are_never_divided(pool: ThreadPoolExecutor) -> None:
    def total(inputs: Tensors) -> Tensors:
        return {"y": inputs["x"].sum(axis=0, keepdims=True)}

    batcher = Batcher(total, batched=True, most_rows=2, note_batch=lambda rows, seconds: None)
    outputs, _ = batcher.run(
        {"x": np.ones((5, 1))}, deadline=monotonic() + 10, is_gone=lambda: False
    )
    assert outputs["y"].tolist() == [[5]]


@pytest.mark.parametrize("gone", [False, True])
def test_a_request_that_gives_up_leaves_the_queue(stage: Stage, gone: bool) -> None:
    futures = stage.ask_all((1,))
    quitter = stage.ask(66, is_gone=lambda: gone, seconds=10 if gone else 0.05)
    with pytest.raises(AbandonedError if gone else DeadlineError):
        quitter.result(10)
    stage.until_waiting(1)
    stage.model.go.set()
    assert [future.result(10) for future in futures] == [[200], [2]]
    assert stage.model.batches == [[100], [1]]


def test_a_request_may_give_up_while_its_batch_runs(stage: Stage) -> None:
    stage.model.go.clear()
    first = stage.ask(100)
    assert stage.model.entered.acquire(timeout=10)
    leader = stage.ask(1)
    stage.until_waiting(1)
    hasty = stage.ask(2, seconds=0.5)
    stage.until_waiting(2)
    stage.model.go.set()
    assert first.result(10) == [200]
    # Whichever way it ends, the others have their answers and the queue goes on.
    hasty.exception(10)
    assert leader.result(10) == [2]
    assert stage.ask(3).result(10) == [6]


def test_a_request_that_is_late_already_does_not_run(stage: Stage) -> None:
    with pytest.raises(DeadlineError):
        stage.ask(1, seconds=0).result(10)
    assert stage.model.batches == []


def test_an_answer_that_comes_too_late_is_none(stage: Stage) -> None:
    stage.model.go.clear()
    late = stage.ask(1, seconds=0.05)
    assert stage.model.entered.acquire(timeout=10)
    threading.Event().wait(0.1)
    stage.model.go.set()
    with pytest.raises(DeadlineError):
        late.result(10)
    assert stage.ask(1).result(10) == [2]


def test_a_leader_that_is_struck_down_takes_nobody_along(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(pool)
    held = stage.batcher._call

    def call(inputs: Tensors) -> Tensors:
        if inputs["x"].shape[0] == 2:
            raise SystemExit
        return held(inputs)

    stage.batcher._call = call
    # The first call is held up, and slow ones run on a thread of their own.
    monkeypatch.setattr(Execution, "is_quick", lambda self, rows: True)
    futures = stage.ask_all((1,), (2,))
    stage.model.go.set()
    assert futures[0].result(10) == [200]
    with pytest.raises(SystemExit):
        futures[1].result(10)
    with pytest.raises(ServiceError, match="broken off"):
        futures[2].result(10)
    assert stage.ask(3).result(10) == [6]


def test_nothing_is_mixed_up_or_lost_under_load(pool: ThreadPoolExecutor) -> None:
    """Many threads, batches of all sizes, some that fail and some that are in a hurry."""
    stage = Stage(pool)

    def client(seed: int) -> int:
        random = np.random.default_rng(seed)
        answered = 0
        for _ in range(100):
            values = random.integers(1, 1000, random.integers(1, 20)).astype(np.float32)
            guilty = random.random() < 0.1
            if guilty:
                values[0] *= -1
            seconds = 0.0005 if random.random() < 0.1 else 10
            try:
                outputs, _ = stage.batcher.run(
                    {"x": values[:, None]}, deadline=monotonic() + seconds, is_gone=lambda: False
                )
            except InvalidRequestError:
                assert guilty
            except DeadlineError:
                assert seconds < 1
            else:
                assert not guilty
                assert (outputs["y"][:, 0] == values * 2).all()
                answered += 1
        return answered

    assert sum(pool.map(client, range(16))) > 1000
    assert stage.batcher._waiting.__len__() == 0
    assert not stage.batcher._busy
