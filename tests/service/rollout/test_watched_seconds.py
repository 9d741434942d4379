"""For how long a step has been watched, whatever becomes of the time of day."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from service.repository.policy_changes import change_policy
from service.repository.rollout_policy import OnTimeout
from tests.service.rollout.controllers import (
    RULES,
    begin,
    controller,
    decisions,
    drive,
    nothing,
)


class Clock:
    """Seconds that nobody sets, as a test counts them."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("jump_s", [-365 * 86_400.0, -3600.0, 3600.0, 365 * 86_400.0])
def test_a_time_of_day_that_is_set_shortens_no_step_and_holds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    """While a service runs, and while none does."""
    rules = replace(
        RULES,
        percents=(50.0,),
        step_s=600,
        bake_s=1200,
        deadline_s=3000,
        on_timeout=OnTimeout.ROLL_BACK,
    )
    begin(tmp_path, rules)
    clock, real = Clock(), time.time
    control = controller(tmp_path, clock=clock)
    # The shadow ends as soon as it has seen enough.
    control.step()
    clock.now += 1e6
    control.step()
    clock.now += 590
    for _ in range(2):
        assert control.step()
    monkeypatch.setattr(time, "time", lambda: real() + jump_s)
    for _ in range(2):
        assert control.step()
    assert decisions(tmp_path) == ["begin", "next step"]
    assert control.record is not None
    assert control.record.reason == "590 of 600 seconds have passed."
    # What another run of the service has watched counts, and not what none has.
    clock.now += 1e6
    control = controller(tmp_path, clock=clock)
    assert control.step()
    clock.now += 9
    assert control.step()
    assert decisions(tmp_path) == ["begin", "next step"]
    clock.now += 1
    assert control.step()
    assert decisions(tmp_path) == ["begin", "next step", "promoted"]
    # The next stage begins at 0, and jumps as little.
    assert control.step()
    monkeypatch.setattr(time, "time", real)
    clock.now += 1199
    for _ in range(2):
        assert control.step()
    assert decisions(tmp_path) == ["begin", "next step", "promoted"]
    clock.now += 1
    drive(control)
    assert decisions(tmp_path) == ["begin", "next step", "promoted", "live"]


def test_the_time_for_which_a_model_is_unloaded_does_not_count(tmp_path: Path) -> None:
    """Else a candidate that leads would be found harmless while nobody asks it."""
    begin(tmp_path, replace(RULES, percents=(50.0,), bake_s=1000))
    clock = Clock()
    control = controller(tmp_path, clock=clock)
    for _ in range(4):
        assert control.step()
    assert decisions(tmp_path)[-1] == "promoted"
    clock.now += 900
    assert control.step()
    for unloaded in (True, False):
        change_policy(tmp_path, lambda before, now=unloaded: replace(before, unloaded=now))
        assert control.step()
        clock.now += 1e6 if unloaded else 99
        assert control.step()
    assert decisions(tmp_path)[-1] == "promoted"
    clock.now += 1
    drive(control)
    assert decisions(tmp_path)[-1] == "live"


def test_a_deadline_comes_though_the_time_of_day_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path, replace(RULES, deadline_s=100))
    clock, real = Clock(), time.time
    control = controller(tmp_path, nothing, clock=clock)
    control.step()
    monkeypatch.setattr(time, "time", lambda: real() - 365 * 86_400)
    clock.now += 99
    control.step()
    assert decisions(tmp_path) == ["begin"]
    clock.now += 1
    control.step()
    assert decisions(tmp_path) == ["begin", "held"]


def test_a_record_of_before_steps_were_watched_begins_its_step_anew(tmp_path: Path) -> None:
    begin(tmp_path, replace(RULES, step_s=600))
    clock = Clock()
    for _ in range(2):
        controller(tmp_path, clock=clock).step()
    path = tmp_path / "rollout.json"
    value = json.loads(path.read_text())
    del value["elapsed_s"]
    path.write_text(json.dumps({**value, "stage_began": 0.0}))
    control = controller(tmp_path, clock=clock)
    assert control.step()
    assert decisions(tmp_path) == ["begin", "next step"]
    clock.now += 600
    assert control.step()
    assert decisions(tmp_path) == ["begin", "next step", "next step"]
