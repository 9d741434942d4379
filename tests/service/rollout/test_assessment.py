"""What evidence decides on a rollout, and what it leaves undecided."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from service.repository.model_policy import Policy, read_policy
from service.repository.rollout_policy import Stage
from service.rollout.assessment import StageEvidence
from service.rollout.rollout_record import read_rollout_record
from service.rollout.shadow import ShadowCounts
from service.runtime.arm_counts import ArmTotals
from service.runtime.traffic_split import TrafficSplit
from tests.service.rollout.controllers import (
    ALL,
    EQUAL_SHADOW,
    RULES,
    begin,
    controller,
    decisions,
    drive,
    equal,
    failing,
)


def differing(split: TrafficSplit) -> StageEvidence:
    found = equal(split)
    if split.stage is Stage.SHADOW:
        found.shadow = replace(EQUAL_SHADOW, disagreed=200.0)
    return found


def slower(split: TrafficSplit) -> StageEvidence:
    found = equal(split)
    if split.stage is Stage.CANARY:
        found.shadow = ShadowCounts(timed=3000, slower=3000)
    return found


def slow_for_some(split: TrafficSplit) -> StageEvidence:
    found = equal(split)
    if split.stage is Stage.SHADOW:
        found.shadow = replace(EQUAL_SHADOW, slower=100, far_slower=40)
    return found


def late(split: TrafficSplit) -> StageEvidence:
    """Evidence of a candidate whose answers come too late again and again."""
    found = equal(split)
    if split.stage is Stage.CANARY:
        own = found.arms.candidate
        own.failures = own.unavailable = own.seconds = own.outages = 30
    return found


def late_at_last(split: TrafficSplit) -> StageEvidence:
    """Evidence of one whose answers come too late once it answers all requests."""
    found = equal(split)
    found.arms.champion.seconds = 600 if split.stage is Stage.CANARY else 0
    if split.stage is Stage.BAKING:
        found.arms.candidate = ArmTotals(
            4000, failures=400, unavailable=400, seconds=30, outages=30
        )
    return found


def stuck(split: TrafficSplit) -> StageEvidence:
    found = equal(split)
    found.shadow = replace(found.shadow, stuck=1)
    return found


@pytest.mark.parametrize(
    ("read", "reason", "exposed"),
    [
        (failing, "It fails more often", 40),
        (differing, "It answers more rows differently", 0),
        (slower, "It takes longer for most batches", 40),
        (slow_for_some, "It takes far longer for some batches", 0),
        (late, "There is no time or no room for its answers more often", 40),
        (late_at_last, "There is no time or no room for its answers more often", 7240),
        (stuck, "does not return", 0),
    ],
)
def test_harm_rolls_back_and_the_champion_is_named(
    tmp_path: Path, read: Callable[[TrafficSplit], StageEvidence], reason: str, exposed: int
) -> None:
    begin(tmp_path)
    control = controller(tmp_path, read)
    drive(control)
    assert read_policy(tmp_path) == Policy(versions=(3,))
    record = read_rollout_record(tmp_path)
    assert record is not None
    assert (record.outcome, decisions(tmp_path)[-1]) == ("rolled back", "rolled back")
    assert reason in record.reason
    assert sum(each.arms.candidate.units for each in record.stages) == exposed


def test_a_pause_of_the_machine_is_no_harm(tmp_path: Path) -> None:
    """It ends the requests of a whole batch at once, and that is one event."""

    def paused(split: TrafficSplit) -> StageEvidence:
        found = equal(split)
        if split.stage is Stage.CANARY and split.percent == 50:
            found.arms.candidate = ArmTotals(2000, failures=16, unavailable=16, outages=1)
        return found

    begin(tmp_path, replace(RULES, error_margin=0.02))
    drive(controller(tmp_path, paused))
    assert decisions(tmp_path) == ALL


def test_one_client_with_a_short_deadline_is_no_harm(tmp_path: Path) -> None:
    """From 5 % on the candidate has its key, and its requests are too late in each second."""

    def impatient(split: TrafficSplit) -> StageEvidence:
        found = equal(split)
        found.arms.champion.seconds = 600
        own = found.arms.candidate
        own.failures = own.unavailable = int(split.percent >= 5)
        own.seconds, own.outages = 600, 600 * own.failures
        return found

    begin(tmp_path, replace(RULES, error_margin=0.02))
    drive(controller(tmp_path, impatient))
    assert decisions(tmp_path) == ALL


def test_more_seconds_with_outages_for_more_requests_are_no_harm(tmp_path: Path) -> None:
    """Of either version 9 % of the answers are late; those of all fall on more seconds."""

    def often_late(split: TrafficSplit) -> StageEvidence:
        found = equal(split)
        for arm in (found.arms.champion, found.arms.candidate):
            arm.failures = arm.unavailable = round(0.09 * arm.units)
            arm.seconds = min(2000, arm.units)
            arm.outages = round(arm.seconds * (1 - 0.7 ** (arm.units / 2000)))
        return found

    begin(tmp_path, replace(RULES, error_margin=0.1, percents=(50.0,)))
    drive(controller(tmp_path, often_late))
    assert decisions(tmp_path) == ["begin", "next step", "promoted", "live"]


def test_times_that_could_not_be_compared_promote_nothing(tmp_path: Path) -> None:
    def untimed(split: TrafficSplit) -> StageEvidence:
        return replace(equal(split), shadow=ShadowCounts())

    begin(tmp_path, replace(RULES, shadow_batches=0, deadline_s=0))
    control = controller(tmp_path, untimed)
    for _ in range(3):
        assert control.step()
    assert decisions(tmp_path) == ["begin", "held"]
    assert control.record is not None
    assert control.record.reason.endswith("no batch again whose time could be compared.")


@pytest.mark.parametrize("shadow", [ShadowCounts(), ShadowCounts(timed=900, slower=900)])
def test_the_largest_margin_leaves_time_out_of_account(
    tmp_path: Path, shadow: ShadowCounts
) -> None:
    begin(tmp_path, replace(RULES, shadow_batches=0, slow_margin=1.0))
    drive(controller(tmp_path, lambda split: replace(equal(split), shadow=shadow)))
    assert decisions(tmp_path) == ["begin", *["next step"] * 3, "promoted", "live"]


def rarely_failing(split: TrafficSplit) -> StageEvidence:
    """Evidence of one that fails on 0.15 % of its requests, and the margin is 1 %."""
    found = equal(split)
    found.arms.candidate.failures = round(0.0015 * found.arms.candidate.units)
    return found


def failing_at_last(split: TrafficSplit) -> StageEvidence:
    return rarely_failing(split) if split.percent == 50 else equal(split)


def rarely_failing_in_the_shadow(split: TrafficSplit) -> StageEvidence:
    found = equal(split)
    if split.stage is Stage.SHADOW:
        found.shadow = replace(EQUAL_SHADOW, lost=2)
    return found


@pytest.mark.parametrize(
    ("read", "steps"),
    [(rarely_failing, 2), (failing_at_last, 3), (rarely_failing_in_the_shadow, 1)],
)
def test_failures_below_the_margin_promote_nothing_while_they_point_to_harm(
    tmp_path: Path, read: Callable[[TrafficSplit], StageEvidence], steps: int
) -> None:
    begin(tmp_path, replace(RULES, deadline_s=0, percents=(5.0, 25.0, 50.0)))
    control = controller(tmp_path, read)
    for _ in range(steps + 3):
        assert control.step()
    assert decisions(tmp_path) == ["begin", *["next step"] * steps, "held"]
    assert control.record is not None
    assert "it fails more often so far" in control.record.reason


def test_failures_that_both_have_point_to_no_harm(tmp_path: Path) -> None:
    def both_failing(split: TrafficSplit) -> StageEvidence:
        found = equal(split)
        for arm in (found.arms.champion, found.arms.candidate):
            arm.failures = round(0.002 * arm.units)
        return found

    begin(tmp_path, replace(RULES, percents=(5.0, 25.0, 50.0)))
    drive(controller(tmp_path, both_failing))
    assert decisions(tmp_path) == ["begin", *["next step"] * 3, "promoted", "live"]


def test_one_failure_among_very_many_requests_holds_up_nothing(tmp_path: Path) -> None:
    """A tenth of the margin is excluded."""

    def failing_once(split: TrafficSplit) -> StageEvidence:
        found = equal(split)
        for arm in (found.arms.champion, found.arms.candidate):
            arm.units *= 20
        found.arms.candidate.failures = int(split.percent == 5)
        return found

    begin(tmp_path, replace(RULES, percents=(5.0, 25.0, 50.0)))
    drive(controller(tmp_path, failing_once))
    assert decisions(tmp_path) == ["begin", *["next step"] * 3, "promoted", "live"]
