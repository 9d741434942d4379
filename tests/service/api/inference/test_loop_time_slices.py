"""How many requests begin in one turn of the loop."""

import asyncio
from collections.abc import Callable

import pytest

from service.api.inference import loop_time_slices as module
from service.api.inference.loop_time_slices import LoopTimeSlices


class Clock:
    """Stands still unless somebody works."""

    def __init__(self) -> None:
        self.now = 100.0

    def work(self, begun: list[int], number: int, seconds: float) -> None:
        begun.append(number)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", lambda: clock.now)
    return clock


def turns_of(clock: Clock, requests: int, seconds: float, *, more: int = 0) -> list[list[int]]:
    """Return which requests began in which turn of the loop.

    Args:
        clock: tells the time.
        requests: how many come in the first turn.
        seconds: what each takes.
        more: how many come in the second turn.
    """
    begun: list[int] = []
    found: list[list[int]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        turns = LoopTimeSlices(loop)

        def come(first: int, count: int) -> None:
            for number in range(first, first + count):
                turns.begin(clock.now, clock.work, begun, number, seconds)

        def look(come_now: Callable[[], None] | None = None) -> None:
            if come_now:
                come_now()
            found.append(begun.copy())
            begun.clear()

        come(0, requests)
        look()
        await asyncio.sleep(0)
        look(lambda: come(requests, more))
        while sum(map(len, found)) < requests + more:
            await asyncio.sleep(0)
            look()

    asyncio.run(asyncio.wait_for(run(), 30))
    return [turn for turn in found if turn]


def test_few_requests_begin_at_once(clock: Clock) -> None:
    assert turns_of(clock, 10, 0.0001) == [list(range(10))]


def test_many_requests_share_turns_in_their_order(clock: Clock) -> None:
    found = turns_of(clock, 100, 0.001)
    assert [number for turn in found for number in turn] == list(range(100))
    # The one that takes the turn beyond its end still runs.
    assert {len(turn) for turn in found[:-1]} <= {5, 6}


def test_who_comes_later_does_not_overtake(clock: Clock) -> None:
    found = turns_of(clock, 20, 0.001, more=5)
    assert [number for turn in found for number in turn] == list(range(25))
    assert max(len(turn) for turn in found) <= 6


def test_one_long_request_in_a_turn_is_enough(clock: Clock) -> None:
    assert turns_of(clock, 3, 1.0) == [[0], [1], [2]]


def test_a_new_turn_begins_anew(clock: Clock) -> None:
    async def run() -> list[int]:
        turns = LoopTimeSlices(asyncio.get_running_loop())
        begun: list[int] = []
        for number in range(3):
            turns.begin(clock.now, clock.work, begun, number, 1.0)
            await asyncio.sleep(0)
            assert begun == list(range(number + 1))
        return begun

    assert asyncio.run(run()) == [0, 1, 2]
