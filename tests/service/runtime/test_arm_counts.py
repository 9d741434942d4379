"""What the arms of a rollout count: units, in one worker and over all of them."""

import numpy as np

from service.runtime import arm_counts
from service.runtime.arm_counts import (
    BOUNDS,
    ArmCounts,
    ArmTotals,
    arms_from_json,
    bins_of,
    bound_above,
    summed,
)


def test_requests_without_a_key_of_their_client_are_all_different() -> None:
    counts = ArmCounts()
    for i in range(10):
        counts.note(0.01, failed=i == 0, is_candidate=i < 4, key=None)
    both = summed([counts.to_json(), counts.to_json()])
    assert (both.candidate.units, both.champion.units) == (8, 12)
    assert (both.candidate.failures, both.champion.failures) == (2, 0)


def test_a_key_counts_once_however_often_and_wherever_it_is_used() -> None:
    workers = [ArmCounts(), ArmCounts()]
    for worker in workers:
        for i in range(100):
            worker.note(0.01, failed=i > 50, is_candidate=True, key=2**64 - 1)
    both = summed([worker.to_json() for worker in workers])
    assert (both.candidate.units, both.candidate.failures, both.champion.units) == (1, 1, 0)
    assert both.candidate.bins.sum() == 1


def test_very_many_keys_are_counted_and_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(arm_counts, "_MOST_KEYS", 50)
    counts = ArmCounts()
    for key in range(120):
        counts.note(0.01, failed=False, is_candidate=key % 2 == 0, key=key)
    assert len(counts._keys) == 20
    both = summed([counts.to_json()])
    assert (both.candidate.units, both.champion.units) == (60, 60)


def test_counts_come_back_from_json() -> None:
    counts = ArmCounts()
    counts.note(3.0, failed=True, is_candidate=True, key=7)
    counts.note(1e9, failed=False, is_candidate=False, key=None)
    counts.note(1e9, failed=False, is_candidate=False, key=2**64 - 1)
    both = summed([counts.to_json()])
    again = arms_from_json(both.to_json())
    assert again.to_json() == both.to_json()
    assert again.champion.bins[-1] == 2


def test_the_bound_of_slow_answers_is_exceeded_by_at_most_that_share() -> None:
    totals = ArmTotals()
    assert bound_above(totals, 0.05) is None
    totals.units = 100
    totals.bins[40], totals.bins[80] = 95, 5
    place = bound_above(totals, 0.05)
    assert place == 40
    assert totals.slower_than(place) == 5
    assert totals.slower_than(len(BOUNDS) + 9) == 0
    assert bins_of(1.0) == 0
    assert np.isclose(BOUNDS[place + bins_of(1.25)] / BOUNDS[place], 1.25, rtol=0.03)
