"""``rollout.json`` as it is read: what was written, and nothing else."""

import copy
import json
from typing import Any

import pytest

from service.repository.errors import RepositoryError
from service.repository.rollout_policy import Rollout, Stage
from service.rollout.assessment import StageEvidence
from service.rollout.paired_quality import PairedQuality
from service.rollout.rollout_record import begin_rollout_record, rollout_record_from_json
from service.rollout.shadow import ShadowCounts
from service.runtime.arm_counts import ArmTotals, BothArms


def evidence() -> StageEvidence:
    arms = BothArms(candidate=ArmTotals(units=3, failures=1))
    return StageEvidence(Stage.CANARY, 5.0, arms)


def written() -> dict[str, Any]:
    """A record of two stages, through JSON."""
    record = begin_rollout_record(Rollout("r", 1, 2, Stage.SHADOW), None)
    record.enter(Rollout("r", 1, 2, Stage.CANARY, 5.0), "It may.")
    for run in ("a", "b"):
        record.count(run, evidence())
    record.quality = PairedQuality("error rate", truths=3)
    record.note("advanced", "It may.", {})
    value: dict[str, Any] = json.loads(json.dumps(record.to_json()))
    return value


def test_it_reads_as_it_was_written() -> None:
    value = written()
    assert json.loads(json.dumps(rollout_record_from_json(value).to_json())) == value


def test_times_of_an_earlier_version_are_not_taken_for_the_proof_of_none_far_slower() -> None:
    value = written()
    del value["runs"]
    arms = {
        name: {"units": 3, "failures": 1, "bins": {"7": 3}} for name in value["carried"]["arms"]
    }
    shadow = {"batches": 200, "lost": 1, "compared": 199, "timed": 190, "slower": 3}
    for stage in (*value["stages"], value["carried"]):
        stage |= {"arms": arms, "shadow": shadow, "slow_bound": 4, "slow_from": arms}
    record = rollout_record_from_json(value)
    for stage in (*record.stages, record.runs["b"]):
        assert stage.shadow == ShadowCounts(batches=200, lost=1, compared=199)
        assert stage.arms.champion == ArmTotals(units=3, failures=1)


def test_what_an_earlier_version_has_counted_is_added_up() -> None:
    value = written()
    # As that had it: what other runs had counted is in the stage as well.
    del value["runs"]
    assert value["carried"]["arms"]["candidate"]["units"] == 3
    record = rollout_record_from_json(value)
    assert record.count("c", evidence())
    assert record.present.arms.candidate.units == 9


def test_many_runs_take_little_room_and_lose_no_count() -> None:
    record = rollout_record_from_json(written())
    for number in range(100):
        record.count(f"run {number}", evidence())
        # The run that takes over again and again.
        record.count("b", evidence())
    assert record.present.arms.candidate.units == 3 * 102
    assert len(record.to_json()["runs"]) < 40


ODD = (None, True, -1, "x", [], {}, [1], {"a": 1}, 10**400, float("inf"))


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (("outcome",), ()),
        (("reason",), ("x",)),
        (("held",), (True,)),
        (("stage_began",), (-1,)),
        (("elapsed_s",), (-1,)),
        (("run",), ("x",)),
        (("runs",), ({},)),
        (("runs", "a", "arms"), ()),
        (("stages",), ()),
        (("quality",), (None, [], {})),
        (("quality", "truths"), (-1,)),
        (("quality", "metric"), ("x",)),
        (("decisions",), ([],)),
        (("earlier",), ([],)),
        (("stages", -1, "stage"), ()),
        (("stages", -1, "percent"), (-1,)),
        (("stages", -1, "shadow"), ({},)),
        (("stages", -1, "shadow", "batches"), (-1,)),
        (("stages", -1, "arms"), ()),
        (("stages", 0, "arms", "champion", "units"), ()),
        (("stages", -1, "arms", "candidate", "outages"), ()),
    ],
)
def test_a_value_of_another_kind_is_no_record(
    path: tuple[Any, ...], allowed: tuple[Any, ...]
) -> None:
    """Else whoever decides, or shows it, fails on it with a trace."""
    for odd in ODD:
        value = copy.deepcopy(written())
        place = value
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = odd
        is_allowed = any(
            odd is each or (type(odd) is type(each) and odd == each) for each in allowed
        )
        if is_allowed:
            rollout_record_from_json(value)
        else:
            with pytest.raises(RepositoryError, match="is not the record of a rollout"):
                rollout_record_from_json(value)
