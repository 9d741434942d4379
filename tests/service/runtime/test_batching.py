"""Requests that wait together run together; each gets its own answer or its own error."""

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import numpy as np
import pytest

from service.errors import AbandonedError, DeadlineError, InvalidRequestError, ServiceError
from service.repository.golden_examples import Tensors
from service.runtime.batching import BatchQueue, Ticket, run_alone
from service.runtime.call_cost import CallCost


class Doubler:
    """A model that can be held up, and that refuses negative numbers."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.threads: list[threading.Thread] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, inputs: Tensors) -> Tensors:
        self.threads.append(threading.current_thread())
        assert self.go.wait(10)
        self.batches.append(inputs["x"][:, 0].tolist())
        if (inputs["x"] == 13).any():
            raise SystemExit
        if (inputs["x"] < 0).any():
            raise InvalidRequestError(f"Refused {inputs['x'].min()}.")
        return {"y": inputs["x"] * 2}


class Stage:
    """A queue for a doubler, on the loop that runs."""

    def __init__(
        self,
        *,
        batched: bool = True,
        most: int = 8,
        is_quick: bool = False,
        stuck_after_s: float = math.inf,
        is_observed: bool = False,
    ) -> None:
        self.model = Doubler()
        self.noted: list[int] = []
        # Of each batch the rows of its requests, its answers, and how many requests were answered.
        self.observed: list[tuple[int, list[float], int]] = []
        self.answered = 0
        self.batched = batched
        self.cost = CallCost()
        if is_quick:
            for rows in (1, 2, 4, 8):
                self.cost.note(rows, 0.0)
        self.queue = BatchQueue(
            self.model,
            most_rows=most,
            cost=self.cost,
            note_batch=lambda rows, seconds: self.noted.append(rows),
            loop=asyncio.get_running_loop(),
            threads=ThreadPoolExecutor(2),
            stuck_after_s=stuck_after_s,
            observe=self.observe if is_observed else None,
        )

    def observe(self, inputs: Tensors, outputs: Tensors) -> None:
        self.observed.append((len(inputs["x"]), outputs["y"][:, 0].tolist(), self.answered))

    def submit(
        self, *values: float, seconds: float = 10, width: int = 1
    ) -> "tuple[Ticket, asyncio.Future[list[float]]]":
        x = np.repeat(np.array(values, dtype=np.float32)[:, None], width, axis=1)
        answered: asyncio.Future[list[float]] = asyncio.get_running_loop().create_future()

        def on_done(ticket: Ticket) -> None:
            self.answered += 1
            if ticket.error is not None:
                answered.set_exception(ticket.error)
            else:
                assert ticket.outputs is not None
                answered.set_result(ticket.outputs["y"][:, 0].tolist())

        deadline = monotonic() + seconds
        ticket = Ticket(
            {"x": x},
            len(values) if self.batched else 1,
            deadline,
            on_done,
            rows_independent=self.batched,
        )
        self.queue.submit(ticket)
        return ticket, answered

    def ask(self, *values: float, **options: Any) -> "asyncio.Future[list[float]]":
        return self.submit(*values, **options)[1]

    async def hold(self) -> "asyncio.Future[list[float]]":
        """Hold the model up with a first request."""
        self.model.go.clear()
        first = self.ask(100.0)
        while not self.model.threads:
            await asyncio.sleep(0.001)
        return first


def on_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        async def bounded() -> None:
            await asyncio.wait_for(test(), 30)

        asyncio.run(bounded())

    run.__name__ = run.__qualname__ = test.__name__
    return run


@on_loop
async def test_batches_are_observed_as_a_whole_when_all_are_answered() -> None:
    stage = Stage(is_observed=True)
    first = await stage.hold()
    others = [stage.ask(1.0), stage.ask(2.0, 3.0)]
    stage.model.go.set()
    await asyncio.gather(first, *others)
    assert stage.observed == [(1, [200.0], 1), (3, [2.0, 4.0, 6.0], 3)]


@on_loop
async def test_what_is_refused_is_not_observed() -> None:
    stage = Stage(is_observed=True)
    first = await stage.hold()
    others = [stage.ask(1.0), stage.ask(-1.0), stage.ask(2.0)]
    stage.model.go.set()
    await asyncio.gather(first, *others, return_exceptions=True)
    assert [(rows, answers) for rows, answers, _ in stage.observed] == [
        (1, [200.0]),
        (1, [2.0]),
        (1, [4.0]),
    ]


@on_loop
async def test_a_quick_call_runs_on_the_loop() -> None:
    stage = Stage(is_quick=True)
    assert await stage.ask(1, 2) == [2, 4]
    assert stage.model.threads == [threading.current_thread()]


@on_loop
async def test_a_call_that_nobody_has_measured_runs_on_a_thread() -> None:
    stage = Stage()
    assert await stage.ask(1, 2) == [2, 4]
    assert stage.model.threads != [threading.current_thread()]
    # It was quick, so the next one is made on the loop; or one of the next, on a busy machine.
    for _ in range(100):
        assert await stage.ask(1, 2) == [2, 4]
        if stage.model.threads[-1] is threading.current_thread():
            return
    pytest.fail("Calls that take next to no time stayed on the thread.")


@on_loop
async def test_what_is_asked_in_one_turn_of_the_loop_is_one_batch() -> None:
    stage = Stage(is_quick=True)
    answers = [stage.ask(1), stage.ask(2, 3), stage.ask(4)]
    assert await asyncio.gather(*answers) == [[2], [4, 6], [8]]
    assert stage.model.batches == [[1, 2, 3, 4]]
    assert stage.noted == [4]


@on_loop
async def test_what_arrives_meanwhile_is_the_next_batch() -> None:
    stage = Stage()
    first = await stage.hold()
    answers = [stage.ask(1), stage.ask(2, 3), stage.ask(4)]
    stage.model.go.set()
    assert await asyncio.gather(first, *answers) == [[200], [2], [4, 6], [8]]
    assert stage.model.batches == [[100], [1, 2, 3, 4]]


@on_loop
async def test_a_batch_holds_no_more_rows_than_allowed() -> None:
    stage = Stage(is_quick=True)
    answers = [stage.ask(1, 2, 3), stage.ask(4, 5, 6), stage.ask(7, 8, 9), stage.ask(10)]
    assert await asyncio.gather(*answers) == [[2, 4, 6], [8, 10, 12], [14, 16, 18], [20]]
    assert stage.model.batches == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10]]


@on_loop
async def test_a_request_larger_than_a_batch_is_divided() -> None:
    stage = Stage()
    values = list(range(20, 40))
    assert await stage.ask(*values) == [2 * value for value in values]
    assert [len(batch) for batch in stage.model.batches] == [8, 8, 4]


@on_loop
async def test_others_run_between_the_parts_of_a_large_request() -> None:
    stage = Stage()
    stage.model.go.clear()
    large = stage.ask(*range(20, 36))
    while not stage.model.threads:
        await asyncio.sleep(0.001)
    small = stage.ask(50)
    stage.model.go.set()
    assert await small == [100]
    assert await large == [2 * value for value in range(20, 36)]
    assert stage.model.batches.index([50]) == 1


@on_loop
async def test_only_the_guilty_request_fails() -> None:
    stage = Stage(is_quick=True)
    answers = [stage.ask(1), stage.ask(-2, 2), stage.ask(3), stage.ask(-4)]
    done = await asyncio.gather(*answers, return_exceptions=True)
    assert (done[0], done[2]) == ([2], [6])
    assert [str(done[1]), str(done[3])] == ["Refused -2.0.", "Refused -4.0."]
    assert await stage.ask(1) == [2]


@pytest.mark.parametrize("is_quick", [False, True])
def test_whatever_strikes_a_call_takes_nobody_along(is_quick: bool) -> None:
    async def test() -> None:
        stage = Stage(is_quick=is_quick)
        answers = [stage.ask(1), stage.ask(13), stage.ask(2)]
        done = await asyncio.gather(*answers, return_exceptions=True)
        assert (done[0], done[2]) == ([2], [4])
        assert isinstance(done[1], ServiceError)
        assert await stage.ask(3) == [6]

    on_loop(test)()


@on_loop
async def test_a_part_that_fails_fails_its_request_alone() -> None:
    stage = Stage()
    values = [*range(20, 30), -1.0, *range(20, 30)]
    large, small = stage.ask(*values), stage.ask(5)
    with pytest.raises(InvalidRequestError):
        await large
    assert await small == [10]


@on_loop
async def test_requests_of_different_shapes_do_not_run_together() -> None:
    stage = Stage(is_quick=True)
    answers = [stage.ask(1), stage.ask(2, width=3), stage.ask(3)]
    assert await asyncio.gather(*answers) == [[2], [4], [6]]
    assert stage.model.batches == [[1], [2], [3]]


@on_loop
async def test_a_signature_that_cannot_be_batched_runs_one_by_one_and_whole() -> None:
    stage = Stage(batched=False, most=1)
    answers = [stage.ask(1, 2), stage.ask(3)]
    assert await asyncio.gather(*answers) == [[2, 4], [6]]
    assert stage.model.batches == [[1, 2], [3]]


@on_loop
async def test_a_request_whose_client_has_gone_leaves_the_queue() -> None:
    stage = Stage()
    first = await stage.hold()
    quitter, answered = stage.submit(66)
    other = stage.ask(1)
    quitter.abandon()
    with pytest.raises(AbandonedError):
        await answered
    stage.model.go.set()
    assert await asyncio.gather(first, other) == [[200], [2]]
    assert stage.model.batches == [[100], [1]]


@on_loop
async def test_a_request_that_waits_too_long_is_late_while_the_call_runs_on() -> None:
    stage = Stage()
    first = await stage.hold()
    late, other = stage.ask(66, seconds=0.05), stage.ask(1)
    with pytest.raises(DeadlineError):
        await late
    assert not first.done()
    stage.model.go.set()
    assert await asyncio.gather(first, other) == [[200], [2]]
    assert stage.model.batches == [[100], [1]]


@on_loop
async def test_a_request_whose_call_takes_too_long_is_late_at_its_deadline() -> None:
    stage = Stage()
    stage.model.go.clear()
    late, patient = stage.ask(1, seconds=0.05), stage.ask(2)
    with pytest.raises(DeadlineError):
        await late
    stage.model.go.set()
    assert await patient == [4]
    assert await stage.ask(3) == [6]


@on_loop
async def test_a_request_that_is_late_already_does_not_run() -> None:
    stage = Stage(is_quick=True)
    with pytest.raises(DeadlineError):
        await stage.ask(1, seconds=0)
    assert stage.model.batches == []


def test_nothing_is_mixed_up_or_lost_under_load() -> None:
    """Many clients, batches of all sizes, some that fail and some that are in a hurry."""

    async def test() -> None:
        stage = Stage()

        async def client(seed: int) -> int:
            random = np.random.default_rng(seed)
            answered = 0
            for _ in range(100):
                values = random.integers(20, 1000, random.integers(1, 20)).astype(np.float32)
                guilty = random.random() < 0.1
                if guilty:
                    values[0] *= -1
                seconds = 0.0005 if random.random() < 0.1 else 10
                try:
                    answer = await stage.ask(*values, seconds=seconds)
                except InvalidRequestError:
                    assert guilty
                except DeadlineError:
                    assert seconds < 1
                else:
                    assert not guilty
                    assert answer == (values * 2).tolist()
                    answered += 1
            return answered

        assert sum(await asyncio.gather(*map(client, range(16)))) > 1000
        assert not stage.queue._waiting
        assert not stage.queue._running

    on_loop(test)()  # type: ignore[arg-type]


def test_a_request_alone_is_divided_too() -> None:
    model, noted = Doubler(), []

    def note(rows: int, seconds: float) -> None:
        noted.append(rows)

    x = np.arange(20, 40, dtype=np.float32)[:, None]
    outputs = run_alone(model, {"x": x}, 20, batched=True, most_rows=8, note_batch=note)
    assert outputs["y"].tolist() == (x * 2).tolist()
    assert noted == [8, 8, 4]
    outputs = run_alone(model, {"x": x}, 1, batched=False, most_rows=8, note_batch=note)
    assert outputs["y"].tolist() == (x * 2).tolist()
    assert noted == [8, 8, 4, 1]
