"""What the arms of a rollout count: units, in one worker and over all of them."""

import pytest

from service.runtime import arm_counts
from service.runtime.arm_counts import (
    ArmCounts,
    ArmTotals,
    BothArms,
    RequestOutcome,
    arms_from_json,
    outcome_of,
    summed,
    units_from_json,
)

ANSWERED, FAILED, UNAVAILABLE = (
    RequestOutcome.ANSWERED,
    RequestOutcome.FAILED,
    RequestOutcome.UNAVAILABLE,
)


class Clock:
    """A clock that a test sets."""

    now = 100.25

    def __call__(self) -> float:
        return self.now


def of_all(*workers: ArmCounts) -> BothArms:
    return summed(units_from_json(worker.to_json()) for worker in workers)


def test_requests_without_a_key_of_their_client_are_all_different() -> None:
    counts = ArmCounts()
    for i in range(10):
        outcome = FAILED if i == 0 else ANSWERED
        counts.note(outcome, is_candidate=i < 4, key=None)
    both = of_all(counts, counts)
    assert (both.candidate.units, both.champion.units) == (8, 12)
    assert (both.candidate.failures, both.champion.failures) == (2, 0)


def test_a_key_counts_once_however_often_and_wherever_it_is_used() -> None:
    workers = [ArmCounts(), ArmCounts()]
    for worker in workers:
        for i in range(100):
            outcome = FAILED if i > 50 else ANSWERED
            worker.note(outcome, is_candidate=True, key=2**64 - 1)
    both = of_all(*workers)
    assert (both.candidate.units, both.candidate.failures, both.champion.units) == (1, 1, 0)


def test_very_many_keys_are_counted_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_counts, "_MOST_KEYS", 50)
    counts = ArmCounts()
    for key in range(120):
        counts.note(ANSWERED, is_candidate=key % 2 == 0, key=key)
    assert len(counts._keys) == 20
    both = of_all(counts)
    assert (both.candidate.units, both.champion.units) == (60, 60)


def test_what_had_no_time_or_no_room_is_counted_by_the_second() -> None:
    """A whole batch is late at once: so many requests are one event, and no failure of their own."""
    clock = Clock()
    counts = ArmCounts(clock)
    for _ in range(30):
        counts.note(UNAVAILABLE, is_candidate=True, key=None)
    counts.note(ANSWERED, is_candidate=True, key=None)
    clock.now += 1
    for key in (1, 1, 2):
        counts.note(UNAVAILABLE, is_candidate=True, key=key)
        counts.note(ANSWERED, is_candidate=False, key=None)
    # This one has failed by itself as well.
    counts.note(FAILED, is_candidate=True, key=2)
    clock.now += 5
    counts.note(FAILED, is_candidate=True, key=None)
    both = of_all(counts)
    assert both.candidate == ArmTotals(units=34, failures=33, unavailable=31, seconds=3, outages=2)
    assert both.champion == ArmTotals(units=3, seconds=1)


def test_an_outcome_is_told_by_the_status() -> None:
    assert {status: outcome_of(status, is_unfit=False) for status in (200, 400, 422, 500)} == {
        200: ANSWERED,
        400: FAILED,
        422: FAILED,
        500: FAILED,
    }
    assert {outcome_of(status, is_unfit=False) for status in (429, 503, 504)} == {UNAVAILABLE}
    assert outcome_of(200, is_unfit=True) is FAILED


def test_counts_come_back_from_json() -> None:
    counts = ArmCounts()
    counts.note(FAILED, is_candidate=True, key=7)
    counts.note(UNAVAILABLE, is_candidate=False, key=None)
    counts.note(ANSWERED, is_candidate=False, key=2**64 - 1)
    both = of_all(counts)
    assert arms_from_json(both.to_json()) == both
    # An earlier version counted how long answers took, and no outages.
    earlier = {"units": 3, "failures": 1, "bins": {"7": 3}}
    assert arms_from_json({"champion": earlier, "candidate": earlier}).champion == ArmTotals(3, 1)
    with pytest.raises(KeyError):
        units_from_json({"champion": earlier, "candidate": earlier, "keys": ""})


def test_keys_that_an_earlier_version_counts_are_added_up() -> None:
    """While replicas are replaced one by one, those of both versions count."""
    arm = {"failures": 0, "bins": {}}
    # As it wrote them: two keys of the candidate and one of the champion, the first and the last
    # of which failed.
    earlier = {
        "champion": {**arm, "units": 1},
        "candidate": {**arm, "units": 0},
        "keys": "BwAAAAAAAAAJAAAAAAAAAP//////////",
        "units": "fwF+AX0B",
    }
    counts = ArmCounts()
    counts.note(FAILED, is_candidate=True, key=9)
    counts.note(ANSWERED, is_candidate=True, key=10)
    both = summed(units_from_json(each) for each in (earlier, counts.to_json()))
    assert both.candidate == ArmTotals(3, 2, 0, 1)
    assert both.champion == ArmTotals(2, 1)
