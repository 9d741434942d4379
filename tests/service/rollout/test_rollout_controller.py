"""What a controller decides, writes and resumes; evidence comes from the tests."""

import contextlib
import errno
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.repository import model_policy as policies
from service.repository import policy_changes
from service.repository.errors import RepositoryError
from service.repository.model_policy import Policy, begin_rollout, read_policy, write_policy
from service.repository.rollout_policy import OnTimeout, Rollout, Stage
from service.rollout import rollout_record as module
from service.rollout.assessment import StageEvidence
from service.rollout.paired_quality import PairedQuality
from service.rollout.rollout_record import read_rollout_record
from service.runtime.arm_counts import ArmTotals, BothArms
from service.runtime.traffic_split import TrafficSplit
from tests.service.rollout.controllers import (
    ALL,
    MOST,
    RULES,
    begin,
    controller,
    decisions,
    drive,
    equal,
    failing,
    nothing,
)


def test_a_candidate_that_does_alike_goes_all_the_way(tmp_path: Path) -> None:
    begin(tmp_path)
    shown: list[str] = []
    control = controller(tmp_path, note=shown.append)
    places = []
    for _ in range(MOST):
        if not control.step():
            break
        rollout = read_policy(tmp_path).rollout
        if rollout is not None:
            places.append((str(rollout.stage), rollout.percent, rollout.leading))
    assert places == [
        ("canary", 1, 3),
        ("canary", 5, 3),
        ("canary", 25, 3),
        ("canary", 50, 3),
        ("baking", 100, 4),
    ]
    assert decisions(tmp_path) == shown == ALL
    # It follows the latest again, which is the candidate.
    assert read_policy(tmp_path) == Policy()
    # Each decision has its numbers, as JSON.
    numbers = json.loads((tmp_path / "rollout.json").read_text())["decisions"][2]["numbers"]
    assert numbers["errors"]["difference_at_most"] < numbers["errors"]["allowed"]
    assert not control.step()


@pytest.mark.parametrize(
    ("policy", "available", "then", "back"),
    [
        (Policy(versions=(3,)), {3, 4}, Policy(versions=(4,)), (3,)),
        (Policy(versions=(2, 3)), {2, 3, 4}, Policy(versions=(2, 4)), (2, 3)),
        (Policy(), {3, 4, 5}, Policy(versions=(4,)), (3,)),
        (Policy(latest=2), {3, 4}, Policy(latest=2), (3,)),
    ],
)
def test_what_serves_after_a_rollout(
    policy: Policy, available: set[int], then: Policy, back: tuple[int, ...]
) -> None:
    trial = begin_rollout(policy, 3, 4, RULES)
    assert policies.rollout_completed(trial, available) == then
    assert policies.rolled_back(trial, available) == replace(policy, versions=back)


def test_a_candidate_that_was_refused_is_rolled_back(tmp_path: Path) -> None:
    begin(tmp_path)
    control = controller(tmp_path, refusal="A golden example is answered differently.")
    assert not control.step()
    assert control.record is not None
    assert "golden example" in control.record.reason
    assert read_policy(tmp_path) == Policy(versions=(3,))


@pytest.mark.parametrize(
    ("on_timeout", "then"), [(OnTimeout.HOLD, "held"), (OnTimeout.ROLL_BACK, "rolled back")]
)
@pytest.mark.parametrize("shadow_batches", [0, 50])
def test_missing_data_never_promotes(
    tmp_path: Path, on_timeout: OnTimeout, then: str, shadow_batches: int
) -> None:
    rules = replace(RULES, deadline_s=0, on_timeout=on_timeout, shadow_batches=shadow_batches)
    begin(tmp_path, rules)
    control = controller(tmp_path, nothing)
    for _ in range(3):
        control.step()
    # Held once, and said once.
    assert decisions(tmp_path) == ["begin", then]
    rollout = read_policy(tmp_path).rollout
    assert (rollout is None) == (then == "rolled back")
    if rollout is not None:
        # Evidence that comes late decides all the same.
        controller(tmp_path, failing).step()
        for _ in range(3):
            controller(tmp_path, failing).step()
        assert decisions(tmp_path)[-1] == "rolled back"


def test_what_cannot_be_written_is_not_told_as_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk, or another replica that decides now: the log and the counts go by the record."""
    begin(tmp_path)
    told: list[str] = []
    control = controller(tmp_path, note=told.append)
    write, is_full = module.write_rollout_record, False

    def written(*arguments: Any) -> None:
        if is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*arguments)

    monkeypatch.setattr(module, "write_rollout_record", written)
    with caplog.at_level(logging.INFO):
        for _ in ALL:
            is_full = True
            for _ in range(3):
                with contextlib.suppress(OSError):
                    control.step()
            is_full = False
            control.step()
    assert told == decisions(tmp_path) == ALL
    lines = [each.getMessage() for each in caplog.records]
    assert [each for each in lines if each.startswith("Rollout: ")] == [
        f"Rollout: {each}." for each in ALL
    ]


class _Killed(BaseException):
    """What kills a controller in the midst of a step."""


def judged(**found: Any) -> PairedQuality:
    return PairedQuality("error rate", handed_out=500, truths=400, **found)


@pytest.mark.parametrize(
    ("read", "harm", "then"),
    [
        (equal, 0.0, ["next step", "promoted", "live"]),
        (failing, 0.0, ["next step", "rolled back"]),
        (equal, 10.0, ["rolled back"]),
    ],
)
def test_a_controller_that_is_killed_anywhere_goes_on_where_it_was(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    read: Callable[[TrafficSplit], StageEvidence],
    harm: float,
    then: list[str],
) -> None:
    """Killed before and after each write; each time another takes over."""
    rules = replace(RULES, percents=(50.0,))
    wanted = ["begin", *then]

    def truths(rollout: Rollout, known: PairedQuality | None) -> PairedQuality:
        return judged(log_evidence=harm, difference_at_most=0.0)

    writes = 0
    while True:
        root = tmp_path / str(writes)
        root.mkdir()
        begin(root, rules)
        left = writes

        def killing(write: Callable[..., Any]) -> Callable[..., Any]:
            def once(*arguments: Any) -> Any:
                nonlocal left
                left -= 1
                if left == -1:
                    raise _Killed
                result = write(*arguments)
                left -= 1
                if left == -1:
                    raise _Killed
                return result

            return once

        with monkeypatch.context() as patch:
            patch.setattr(module, "write_rollout_record", killing(module.write_rollout_record))
            patch.setattr(policy_changes, "write_policy", killing(write_policy))
            try:
                control = controller(root, read, quality=truths)
                drive(control)
                was_killed = False
            except _Killed:
                was_killed = True
        successor = controller(root, read, quality=truths)
        for _ in range(5):
            successor.step()
        assert decisions(root) == wanted, writes
        assert read_policy(root) == (Policy() if then[-1] == "live" else Policy(versions=(3,)))
        if not was_killed:
            break
        writes += 1
    assert writes >= 4 * len(then) - 2


def test_harm_by_truths_rolls_back_and_truths_that_do_not_exclude_it_hold(tmp_path: Path) -> None:
    rules = replace(RULES, deadline_s=0)
    begin(tmp_path, rules)
    open_question = judged(difference_at_most=0.05)
    control = controller(tmp_path, quality=lambda rollout, known: open_question)
    for _ in range(MOST):
        control.step()
    # At a quarter of the requests it would be 1.25 % of all, and at a half more than 2 %.
    assert decisions(tmp_path) == ["begin", "next step", "next step", "next step", "held"]
    record = read_rollout_record(tmp_path)
    assert record is not None
    assert record.quality == open_question
    assert record.reason.endswith("may be up to 5 % larger.")
    assert record.decisions[-1]["numbers"]["quality"]["difference_at_most"] == 0.05
    # Another controller goes on where that one was, with the evidence that there is now.
    seen: list[PairedQuality | None] = []

    def harmful(rollout: Rollout, known: PairedQuality | None) -> PairedQuality:
        seen.append(known)
        return judged(lost=30, log_evidence=10.0)

    drive(controller(tmp_path, quality=harmful))
    assert seen == [open_question]
    record = read_rollout_record(tmp_path)
    assert record is not None
    assert (record.outcome, record.reason) == (
        "rolled back",
        "It answers worse than the version before, by the truths of the same rows.",
    )


def test_truths_that_come_while_the_candidate_leads_count_as_well(tmp_path: Path) -> None:
    begin(tmp_path)
    found: list[PairedQuality] = [judged(difference_at_most=0.0)]
    control = controller(tmp_path, quality=lambda rollout, known: found[-1])
    while (control.record and control.record.rollout.stage) is not Stage.BAKING:
        control.step()
    found.append(judged(difference_at_most=0.03))
    for _ in range(3):
        assert control.step()
    assert decisions(tmp_path)[-1] == "promoted"
    found.append(judged(difference_at_most=0.01))
    drive(control)
    assert decisions(tmp_path)[-1] == "live"


def test_without_a_store_what_was_known_of_truths_stays(tmp_path: Path) -> None:
    begin(tmp_path)
    controller(tmp_path, nothing, quality=lambda rollout, known: judged()).step()
    other = controller(tmp_path, nothing)
    other.step()
    assert other.record is not None
    assert other.record.quality == judged()
    # A record of before there were truths is one without any.
    path = tmp_path / "rollout.json"
    value = json.loads(path.read_text())
    del value["quality"]
    path.write_text(json.dumps(value))
    record = read_rollout_record(tmp_path)
    assert record is not None
    assert record.quality is None


def test_truths_that_are_asked_for_and_not_stored_promote_nothing(tmp_path: Path) -> None:
    begin(tmp_path, replace(RULES, min_truths=1, deadline_s=0))
    control = controller(tmp_path)
    for _ in range(3):
        assert control.step()
    assert decisions(tmp_path) == ["begin", "held"]
    assert control.record is not None
    assert control.record.reason.endswith("but no predictions are stored.")


def test_truths_that_cannot_be_read_promote_nothing(tmp_path: Path) -> None:
    begin(tmp_path)
    unread = PairedQuality(problem="The truths cannot be read now.")
    control = controller(tmp_path, quality=lambda rollout, known: unread)
    for _ in range(3):
        assert control.step()
    assert decisions(tmp_path) == ["begin"]
    assert control.verdict is not None
    assert control.verdict.reason == unread.problem


def test_what_another_run_of_the_service_counted_is_added_up(tmp_path: Path) -> None:
    begin(tmp_path, replace(RULES, shadow_batches=0, min_requests=1000))

    def few(split: TrafficSplit) -> StageEvidence:
        return StageEvidence(split.stage, split.percent, BothArms(ArmTotals(300), ArmTotals(3)))

    for number in range(4):
        control = controller(tmp_path, few, run=f"run {number}")
        control.step()
        control.step()
    record = read_rollout_record(tmp_path)
    assert record is not None
    assert record.present.arms.candidate.units == 12
    assert record.present.arms.champion.units == 1200


def test_services_that_take_turns_on_one_folder_are_counted_once(tmp_path: Path) -> None:
    """Each worker that ends may hand the lock to another service, and get it back."""
    begin(tmp_path, replace(RULES, shadow_batches=0, min_requests=1000))
    counted = {"a": 3, "b": 4}
    for run in "abaabbab":
        own = counted[run]

        def few(split: TrafficSplit, own: int = own) -> StageEvidence:
            arms = BothArms(ArmTotals(100 * own), ArmTotals(own))
            return StageEvidence(split.stage, split.percent, arms)

        controller(tmp_path, few, run=run).step()
    record = read_rollout_record(tmp_path)
    assert record is not None
    assert (record.present.arms.champion.units, record.present.arms.candidate.units) == (700, 7)


def test_a_policy_that_was_changed_by_hand_ends_the_rollout(tmp_path: Path) -> None:
    begin(tmp_path)
    control = controller(tmp_path, nothing)
    assert control.step()
    write_policy(tmp_path, policies.with_changes(read_policy(tmp_path), {"serve": {"latest": 1}}))
    assert read_policy(tmp_path).rollout is None
    assert not control.step()
    assert decisions(tmp_path) == ["begin", "ended by hand"]
    # The next one begins with a record of its own, and knows of this one.
    begin(tmp_path)
    control.step()
    record = read_rollout_record(tmp_path)
    assert record is not None
    assert [each["outcome"] for each in record.earlier] == ["ended by hand"]


def test_a_change_between_look_and_decision_wins(tmp_path: Path) -> None:
    begin(tmp_path)

    def meanwhile(split: TrafficSplit) -> StageEvidence:
        write_policy(tmp_path, Policy(versions=(3,)))
        return equal(split)

    control = controller(tmp_path, meanwhile)
    with pytest.raises(RepositoryError, match="changed meanwhile"):
        control.step()
    assert not control.step()
    assert read_policy(tmp_path) == Policy(versions=(3,))
    assert decisions(tmp_path)[-1] == "ended by hand"


def test_a_rollout_waits_for_its_candidate(tmp_path: Path) -> None:
    write_policy(tmp_path, begin_rollout(Policy(), 3, None, RULES))
    assert read_policy(tmp_path).select([2, 3, 4]) == [3]
    control = controller(tmp_path)
    assert control.step()
    write_policy(tmp_path, begin_rollout(read_policy(tmp_path), 3, 4, RULES))
    drive(control)
    assert decisions(tmp_path)[-1] == "live"
