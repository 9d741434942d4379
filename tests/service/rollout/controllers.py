"""Controllers of a rollout from version 3 to 4, with the evidence that a test gives."""

import time
from collections.abc import Callable
from pathlib import Path

from service.repository.model_policy import Policy, begin_rollout, write_policy
from service.repository.rollout_policy import RolloutRules, Stage
from service.rollout.assessment import StageEvidence
from service.rollout.rollout_controller import ReadQuality, RolloutController
from service.rollout.rollout_record import read_rollout_record
from service.rollout.shadow import ShadowCounts
from service.runtime.arm_counts import ArmTotals, BothArms
from service.runtime.traffic_split import TrafficSplit

RULES = RolloutRules(error_margin=0.01, step_s=0, bake_s=0, min_requests=20, shadow_batches=50)
MOST = 30
# All decisions on a candidate that goes all the way.
ALL = ["begin", *["next step"] * 4, "promoted", "live"]
EQUAL_SHADOW = ShadowCounts(
    batches=1000,
    compared=1000,
    timed=990,
    slower=50,
    far_slower=4,
    far_faster=6,
    disagreed=5.0,
)


def equal(split: TrafficSplit) -> StageEvidence:
    """Evidence of a stage in which both versions did alike, over 4,000 requests."""
    own = round(4000 * split.percent / 100)
    arms = BothArms(ArmTotals(4000 - own), ArmTotals(own))
    shadow = EQUAL_SHADOW if split.stage is Stage.SHADOW else ShadowCounts()
    return StageEvidence(split.stage, split.percent, arms, shadow)


def failing(split: TrafficSplit) -> StageEvidence:
    found = equal(split)
    found.arms.candidate = ArmTotals(round(4000 * split.percent / 100), failures=20)
    return found


def nothing(split: TrafficSplit) -> StageEvidence:
    return StageEvidence(split.stage, split.percent)


def controller(
    root: Path,
    read: Callable[[TrafficSplit], StageEvidence] = equal,
    *,
    run: str = "run",
    refusal: str = "",
    note: Callable[[str], None] = lambda decision: None,
    quality: ReadQuality | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> RolloutController:
    return RolloutController(
        "m",
        root,
        read,
        run=run,
        versions=lambda: {3, 4},
        refusal=lambda v: refusal,
        note=note,
        read_quality=quality,
        clock=clock,
    )


def begin(root: Path, rules: RolloutRules = RULES) -> None:
    write_policy(root, begin_rollout(Policy(), 3, 4, rules))


def drive(control: RolloutController) -> None:
    """Look until the rollout has ended."""
    assert any(not control.step() for _ in range(MOST)), control.record and control.record.reason


def decisions(root: Path) -> list[str]:
    record = read_rollout_record(root)
    assert record is not None
    return [each["decision"] for each in record.decisions]
