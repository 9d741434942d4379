"""The loop in one piece: drift, audits, harm, a retraining on trial, and a version that is undone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import pytest

from benchmarks.demo_loop import loop_story
from benchmarks.demo_loop.loop_story import Plan, run_demo
from benchmarks.demo_loop.picture import draw_story
from tests.forked import TRAINING, ForkedCommand
from training.data import auto_mpg
from training.data.dataset_location import find_or_download

QUICK = ("--arch", "tutorial", "--epochs", "30", "--learning-rate", "0.01")


def forked(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdout: IO[bytes], **_: object
) -> int:
    """Train as ``subprocess.call`` would have it, in a fork that has TensorFlow."""
    output = Path(stdout.name)
    return ForkedCommand(
        TRAINING,
        command[1:],
        cwd=cwd,
        env=env,
        stdout=output,
        stderr=output,
        first="tests.training.no_rivals",
    ).wait()


def test_traffic_drifts_and_a_retraining_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_story.subprocess, "call", forked)
    table = auto_mpg.read(find_or_download(auto_mpg.AUTO_MPG, None))
    # So many truths: what a retraining learned that began with fewer was not always better by enough.
    plan = Plan(training=QUICK, calm_s=2.0, rate=120.0, truths=1200, waits_for_alarm=False)
    story = run_demo(table, tmp_path, plan)
    print(story.errors)
    assert story.outcomes == ["live", "rolled back"]
    assert story.clients.failed == []
    # On real cars: half a gallon per hundred miles is a lot.
    assert story.errors["drifted"] > 1.5 * story.errors["before"]
    assert story.errors["recovered"] < 0.9 * story.errors["drifted"]
    # Whom the sabotaged version would have reached, it has not.
    assert {answer.version for answer in story.clients.answers} == {1, 2}
    told = [text for _, text in story.marks]
    assert told.index("version 2: live") < told.index("version 3: rolled back")
    draw_story(story, tmp_path / "loop.svg")
    assert (tmp_path / "loop.svg").stat().st_size > 10_000
