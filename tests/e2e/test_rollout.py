"""A rollout by real workers, whose controller is killed."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np

from service.repository.model_policy import Policy, begin_rollout, read_policy
from service.repository.policy_changes import change_policy
from service.repository.rollout_policy import RolloutRules
from service.rollout.controlling_process import LOCK
from service.rollout.rollout_record import read_rollout_record
from tests.e2e.conftest import StartService
from tests.savedmodels.trial import CLASSES, publish_trial
from tests.waiting import eventually


def controllers(lock: Path) -> set[int]:
    """Return the processes that hold a lock, as the kernel says."""
    if not lock.exists():
        return set()
    inode = lock.stat().st_ino
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return {
        int(fields[4]) for fields in lines if "->" not in fields and fields[5].endswith(f":{inode}")
    }


def test_another_worker_goes_on_where_a_killed_controller_was(
    tmp_path: Path, start_service: StartService
) -> None:
    """The candidate swaps two labels; no client may see that."""
    publish_trial(tmp_path, work=1)
    folder = tmp_path / "trial"
    (folder / "policy.json").write_text('{"serve": {"versions": [1]}}')
    publish_trial(tmp_path, "swapped", work=1)
    service = start_service(tmp_path)
    # More batches than there will be before the controller is killed.
    rules = RolloutRules(shadow_batches=10_000, shadow_share=1.0, disagreement_margin=0.999)
    change_policy(folder, lambda policy: begin_rollout(policy, 1, 2, rules))
    random = np.random.default_rng(1)

    def ask() -> None:
        for _ in range(20):
            body = {"instances": random.random((1, CLASSES)).round(4).tolist()}
            response = service.post("/v1/models/trial:predict", body)
            assert (response.status_code, response.headers["X-Model-Version"]) == (200, "1")

    def is_in_the_shadow() -> bool:
        ask()
        record = read_rollout_record(folder)
        return record is not None and record.present.shadow.batches > 0

    eventually(is_in_the_shadow)
    (controller,) = controllers(folder / LOCK)
    assert controller in service.workers()
    os.kill(controller, signal.SIGKILL)

    def is_another() -> bool:
        found = controllers(folder / LOCK)
        assert len(found) <= 1
        return bool(found) and controller not in found

    eventually(is_another)
    # What was allowed so far is not any more.
    stricter = replace(rules, disagreement_margin=0.05)

    def changed(policy: Policy) -> Policy:
        assert policy.rollout is not None
        return replace(policy, rollout=replace(policy.rollout, rules=stricter))

    change_policy(folder, changed)
    eventually(lambda: ask() or read_policy(folder).rollout is None)
    record = read_rollout_record(folder)
    assert record is not None
    assert (record.outcome, read_policy(folder).versions) == ("rolled back", (1,))
    assert [each["decision"] for each in record.decisions] == ["begin", "rolled back"]
    assert sum(each.arms.candidate.units for each in record.stages) == 0
    ask()
