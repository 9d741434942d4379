"""What the evidence of a rollout says: go on, roll back, or wait. Nothing here does anything."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from service.repository.rollout_policy import OnTimeout, Rollout, RolloutRules, Stage
from service.rollout.e_processes import (
    ArmEvents,
    Proportion,
    log_average,
    log_evidence_above,
    log_evidence_of_losses,
    log_evidence_of_more,
    upper_bound,
    upper_bound_of_difference,
)
from service.rollout.paired_betting import upper_bound_of_lead
from service.rollout.paired_quality import PairedQuality, allowed_difference
from service.rollout.percentages import in_percent
from service.rollout.shadow import ShadowCounts
from service.runtime.arm_counts import ArmTotals, BothArms


class Action(StrEnum):
    """What to do with a rollout."""

    WAIT = "wait"
    GO_ON = "go_on"
    HOLD = "hold"
    ROLL_BACK = "roll_back"


@dataclass(slots=True)
class StageEvidence:
    """What one stage has shown.

    Attributes:
        stage: the stage.
        percent: the candidate's share of requests in it.
        arms: what both versions answered.
        shadow: what the shadow has seen.
    """

    stage: Stage
    percent: float
    arms: BothArms = field(default_factory=BothArms)
    shadow: ShadowCounts = field(default_factory=ShadowCounts)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do, and why.

    Attributes:
        action: what to do.
        reason: why, in a sentence.
        numbers: what it goes by, by name; JSON.
    """

    action: Action
    reason: str
    numbers: dict[str, Any]


def assess(
    rollout: Rollout,
    stages: Sequence[StageEvidence],
    *,
    elapsed_s: float,
    quality: PairedQuality | None = None,
) -> Verdict:
    """Say what to do with a rollout.

    Args:
        rollout: as it is now.
        stages: what its stages have shown, the present one last.
        elapsed_s: seconds since the present stage began.
        quality: what audits say of both versions; ``None`` where no truths are stored.
    """
    rules, now = rollout.rules, stages[-1]
    harm = _harm(stages, rules) | {"quality": _harm_by_truths(quality, rules)}
    together = log_average(list(harm.values()))
    numbers: dict[str, Any] = {
        "log10_evidence_of_harm": {
            name: round(value / math.log(10), 3) for name, value in harm.items()
        }
        | {"together": round(together / math.log(10), 3)},
        "elapsed_s": round(elapsed_s, 1),
    }
    # After baking it goes on to answer all requests.
    is_baking = now.stage is Stage.BAKING
    following = 1.0 if is_baking else rollout.advanced().percent / 100
    if quality is not None:
        allowed = allowed_difference(rules, following)
        numbers["quality"] = quality.to_json() | {"allowed": _shown(allowed)}
    if now.shadow.stuck:
        return Verdict(Action.ROLL_BACK, "One of its answers does not return.", numbers)
    if together >= -math.log(rules.alpha):
        worst = max(harm, key=lambda name: harm[name])
        return Verdict(Action.ROLL_BACK, _HARMS[worst], numbers)
    more_often = max(harm["errors"], harm["shadow_failures"]) > 0
    missing, bounds = _missing(rollout, stages, elapsed_s, more_often=more_often)
    numbers |= bounds
    missing = missing or _missing_of_truths(quality, rules, following)
    if not missing:
        return Verdict(Action.GO_ON, "Harm above the margins is excluded.", numbers)
    if elapsed_s < rules.deadline_s:
        return Verdict(Action.WAIT, missing, numbers)
    if rules.on_timeout is OnTimeout.ROLL_BACK:
        return Verdict(Action.ROLL_BACK, f"Undecided by the deadline: {missing}", numbers)
    return Verdict(Action.HOLD, f"Undecided by the deadline: {missing}", numbers)


# By how much the margin shrinks once the candidate fails more often. With harm below the margin it
# would be a race: showing it, or excluding more, whichever comes first by chance.
_STRICTER = 10
_SO_FAR = ", and it fails more often so far"

_HARMS = {
    "errors": "It fails more often than the version before.",
    "outages": "There is no time or no room for its answers more often than before.",
    "shadow_failures": "It fails on batches that the version before answers.",
    "shadow_slow": "It takes longer for most batches than the version before.",
    "shadow_far_slower": "It takes far longer for some batches than the version before.",
    "disagreement": "It answers more rows differently than its margin allows.",
    "baking_errors": "It fails more often than the version before did.",
    "quality": "It answers worse than the version before, by the truths of the same rows.",
}


def _harm(stages: Sequence[StageEvidence], rules: RolloutRules) -> dict[str, float]:
    """Return the log evidence of each kind of harm; always of all, so that they average."""
    canary = [each for each in stages if each.stage is Stage.CANARY]
    shadow = _whole_shadow(stages)
    # The largest margin leaves time out of account.
    timed = ShadowCounts() if rules.slow_margin >= 1 else shadow
    return {
        "errors": log_evidence_of_more(_failures(each) for each in canary),
        "outages": _harm_by_outages(canary) + _outages_while_baking(stages, canary, rules),
        "shadow_failures": log_evidence_of_losses(shadow.lost, shadow.won),
        "shadow_slow": log_evidence_above(Proportion(timed.slower, timed.timed), 0.5),
        "shadow_far_slower": log_evidence_of_losses(timed.far_slower, timed.far_faster),
        "disagreement": log_evidence_above(
            Proportion(shadow.disagreed, shadow.compared), rules.disagreement_margin
        ),
        "baking_errors": _harm_while_baking(stages, canary, rules),
    }


def _whole_shadow(stages: Sequence[StageEvidence]) -> ShadowCounts:
    return sum((each.shadow for each in stages), ShadowCounts())


def _own_failures(arm: ArmTotals) -> int:
    """Return how many units failed otherwise than for want of time or room."""
    return arm.failures - arm.unavailable


def _failures(stage: StageEvidence) -> ArmEvents:
    candidate, champion = _own_failures(stage.arms.candidate), _own_failures(stage.arms.champion)
    return ArmEvents(candidate, champion, stage.percent / 100)


def _harm_by_outages(canary: Sequence[StageEvidence]) -> float:
    """Return the log evidence of more outages, by the second and by the unit.

    By the unit alone, a pause that ends a whole batch would count as many; by the second alone, one
    client with a short deadline and a key of its own would, and all on one arm. The lesser of two
    e-values is one as long as either of them is.
    """
    by_second = log_evidence_of_more(_outages(each) for each in canary)
    return min(by_second, log_evidence_of_more(_unavailable(each) for each in canary))


def _unavailable(stage: StageEvidence) -> ArmEvents:
    candidate, champion = stage.arms.candidate, stage.arms.champion
    return ArmEvents(candidate.unavailable, champion.unavailable, stage.percent / 100)


def _outages(stage: StageEvidence) -> ArmEvents:
    """Return in how many seconds there was no time or no room for requests of either arm.

    One pause of the machine is an outage of whatever ran then. Where each arm runs a batch in each
    turn of the loop, that is either of them, however few requests it has; so the candidate's share
    counts as a half at least.
    """
    arms = stage.arms
    return ArmEvents(arms.candidate.outages, arms.champion.outages, max(0.5, stage.percent / 100))


def _harm_while_baking(
    stages: Sequence[StageEvidence], canary: Sequence[StageEvidence], rules: RolloutRules
) -> float:
    """Compare with what the champion did last, because it answers nothing any more."""
    now = stages[-1]
    if now.stage is not Stage.BAKING or not canary:
        return 0.0
    then, own = canary[-1].arms.champion, now.arms.candidate
    before = Proportion(_own_failures(then), then.units)
    bound = upper_bound(before, rules.alpha) + rules.error_margin
    return log_evidence_above(Proportion(_own_failures(own), own.units), bound)


def _outages_while_baking(
    stages: Sequence[StageEvidence], canary: Sequence[StageEvidence], rules: RolloutRules
) -> float:
    """As ``_harm_while_baking``, of want of time or room: by the second and by the unit.

    A second of all requests has an outage as often as one of the champion's share did, times how
    many such shares there are, at most. For the lesser of both see ``_harm_by_outages``.
    """
    now = stages[-1]
    if now.stage is not Stage.BAKING or not canary:
        return 0.0
    then, own = canary[-1].arms.champion, now.arms.candidate
    seconds = upper_bound(Proportion(then.outages, then.seconds), rules.alpha)
    units = upper_bound(Proportion(then.unavailable, then.units), rules.alpha)
    shares = 1 / (1 - canary[-1].percent / 100)
    return min(
        log_evidence_above(
            Proportion(own.outages, own.seconds), min(1.0, seconds * shares + rules.error_margin)
        ),
        log_evidence_above(
            Proportion(own.unavailable, own.units), min(1.0, units + rules.error_margin)
        ),
    )


def _harm_by_truths(quality: PairedQuality | None, rules: RolloutRules) -> float:
    """Return the log evidence of a larger loss; the largest margin leaves it out of account."""
    return 0.0 if quality is None or rules.quality_margin >= 1 else quality.log_evidence


def _missing_of_truths(quality: PairedQuality | None, rules: RolloutRules, following: float) -> str:
    if quality is not None:
        return quality.missing(rules, following)
    return "Truths are asked for, but no predictions are stored." if rules.min_truths else ""


def _missing(
    rollout: Rollout, stages: Sequence[StageEvidence], elapsed_s: float, *, more_often: bool
) -> tuple[str, dict[str, Any]]:
    """Say in a sentence what is missing before the rollout may go on, if anything is.

    The next step may harm a share of all requests that is no larger than the margin: at 5 % of
    the requests that excludes twenty times the margin, at all of them the margin itself.

    Args:
        rollout: as it is now.
        stages: what its stages have shown, the present one last.
        elapsed_s: seconds since the present stage began.
        more_often: whether failures point to harm, however weakly.
    """
    rules, now = rollout.rules, stages[-1]
    if more_often:
        rules = replace(rules, error_margin=rules.error_margin / _STRICTER)
    so_far = _SO_FAR if more_often else ""
    following = rollout.advanced().percent / 100
    if now.stage is Stage.SHADOW:
        return _missing_of_shadow(rules, now.shadow, following, so_far)
    units = now.arms.candidate.units
    numbers: dict[str, Any] = {"candidate_units": units, "champion_units": now.arms.champion.units}
    if units < rules.min_requests:
        least = f"{rules.min_requests:,} requests, those of one routing key counted once"
        return f"It has answered {units:,} of {least}.", numbers
    least_s = rules.bake_s if now.stage is Stage.BAKING else rules.step_s
    if elapsed_s < least_s:
        return f"{elapsed_s:.0f} of {least_s:.0f} seconds have passed.", numbers
    if now.stage is Stage.BAKING:
        return "", numbers
    candidate, champion = (
        Proportion(arm.failures, arm.units) for arm in (now.arms.candidate, now.arms.champion)
    )
    allowed = min(1.0, rules.error_margin / following)
    bound = upper_bound_of_difference(candidate, champion, rules.alpha)
    numbers["errors"] = {
        "candidate": _shown(candidate.mean),
        "champion": _shown(champion.mean),
        "difference_at_most": _shown(bound),
        "allowed": _shown(allowed),
    }
    if not bound < allowed:
        sentence = f"{in_percent(bound)} more errors are possible still{so_far}."
        return sentence + _late(now.arms), numbers
    sentence, times = _missing_of_times(rules, _whole_shadow(stages), following)
    return sentence, numbers | times


def _late(arms: BothArms) -> str:
    """Say how many errors say little of the versions, such as those of deadlines too short."""
    unavailable = arms.candidate.unavailable + arms.champion.unavailable
    if not unavailable:
        return ""
    failures = arms.candidate.failures + arms.champion.failures
    return (
        f" Of {failures:,} errors of both versions, {unavailable:,} had no time (504) or no room "
        "(429, 503)."
    )


def _missing_of_times(
    rules: RolloutRules, shadow: ShadowCounts, following: float
) -> tuple[str, dict[str, Any]]:
    """Say what is missing of how long the candidate takes; the largest margin asks for nothing."""
    if rules.slow_margin >= 1:
        return "", {}
    slower = upper_bound(Proportion(shadow.slower, shadow.timed), rules.alpha)
    far = upper_bound_of_lead(shadow.far_slower, shadow.far_faster, shadow.timed, rules.alpha)
    allowed = min(1.0, rules.slow_margin / following)
    numbers = {
        "compared_batches": shadow.compared,
        "timed_batches": shadow.timed,
        "seconds_ratio": _shown(math.exp(shadow.log_ratio / shadow.timed) if shadow.timed else 1.0),
        "slower_batches_at_most": _shown(slower),
        "far slower batches": {"difference_at_most": _shown(far), "allowed": _shown(allowed)},
    }
    sentence = ""
    if not shadow.timed:
        sentence = "It has answered no batch again whose time could be compared."
    elif slower >= 0.5:
        sentence = "It may take longer for most batches."
    elif not far < allowed:
        sentence = f"{in_percent(far)} more far slower batches are possible still."
    return sentence, numbers


def _missing_of_shadow(
    rules: RolloutRules, shadow: ShadowCounts, following: float, so_far: str
) -> tuple[str, dict[str, Any]]:
    lead = upper_bound_of_lead(shadow.lost, shadow.won, shadow.batches, rules.alpha)
    disagreement = upper_bound(Proportion(shadow.disagreed, shadow.compared), rules.alpha)
    slowness, times = _missing_of_times(rules, shadow, following)
    numbers: dict[str, Any] = {
        "batches": shadow.batches,
        "dropped": shadow.dropped,
        "more_failures_at_most": _shown(lead),
        "disagreement": _shown(shadow.disagreed / shadow.compared if shadow.compared else 0.0),
        "disagreement_at_most": _shown(disagreement),
        **times,
    }
    if shadow.batches < rules.shadow_batches:
        sentence = f"It has answered {shadow.batches} of {rules.shadow_batches} batches."
    elif lead >= min(1.0, rules.error_margin / following):
        sentence = f"Failures in {in_percent(lead)} more of the batches are possible still{so_far}."
    elif rules.disagreement_margin < 1 and disagreement >= rules.disagreement_margin:
        sentence = f"It may answer up to {in_percent(disagreement)} of the rows differently."
    else:
        sentence = slowness
    return sentence, numbers


def _shown(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
