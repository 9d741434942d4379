"""Which calls are known to be quick, and so may run on the loop."""

import random

import pytest

from service.runtime.call_cost import CallCost


@pytest.mark.parametrize(
    ("seconds", "may_loop", "is_quick"),
    [
        ([], False, False),
        ([0.0002], False, True),
        ([0.02], False, False),
        ([0.02, *[0.0001] * 10], False, True),
        ([*[0.0001] * 10, 0.003], False, True),
        ([*[0.0001] * 10, *[0.003] * 10], False, False),
        ([0.0002], True, False),
    ],
)
def test_what_is_quick_is_measured(seconds: list[float], may_loop: bool, is_quick: bool) -> None:
    cost = CallCost(may_loop=may_loop)
    for value in seconds:
        cost.note(20, value)
    assert cost.is_quick(20) is is_quick
    assert not cost.is_quick(200)


def share_on_loop(every: int, calls: int, *, slow_s: float = 0.1, seed: int = 0) -> tuple[int, int]:
    """Return how many slow calls, and how many quick ones, were thought to be quick beforehand.

    One call in ``every`` is slow, at random; nothing tells it from the others before it has ended.
    """
    draw = random.Random(seed)
    cost = CallCost()
    slow = quick = 0
    for _ in range(calls):
        is_slow = draw.random() * every < 1
        if cost.is_quick(1):
            slow, quick = slow + is_slow, quick + (not is_slow)
        cost.note(1, slow_s if is_slow else 0.0002)
    return slow, quick


@pytest.mark.parametrize("every", [3, 20, 100])
def test_a_signature_whose_time_depends_on_its_data_leaves_the_loop(every: int) -> None:
    slow, _ = share_on_loop(every, 20_000)
    # Of hundreds to thousands that are slow.
    assert slow <= 30


def test_pauses_of_the_machine_cost_a_few_hand_overs() -> None:
    _, quick = share_on_loop(5000, 100_000)
    assert quick > 95_000


def test_what_was_slow_for_a_while_is_quick_again() -> None:
    cost = CallCost()
    for _ in range(50):
        cost.note(1, 0.0002)
        cost.note(1, 0.0002)
        cost.note(1, 0.0002)
        cost.note(1, 0.1)
        for _ in range(10):
            cost.note(1, 0.0002)
    assert not cost.is_quick(1)
    for _ in range(40_000):
        cost.note(1, 0.0002)
    assert cost.is_quick(1)


def test_large_batches_that_are_known_to_be_slow_surprise_nobody() -> None:
    cost = CallCost()
    for _ in range(100):
        cost.note(1, 0.0002)
        cost.note(512, 0.02)
    assert cost.is_quick(1)
    assert not cost.is_quick(512)
