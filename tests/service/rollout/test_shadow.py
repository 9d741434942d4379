"""The shadow by itself, with versions that do what a test says."""

import itertools
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.repository.rollout_policy import RolloutRules
from service.rollout import shadow as shadow_module
from service.rollout.idle_budget import IdleBudget
from service.rollout.shadow import Shadow
from tests.waiting import eventually

INPUTS = {"x": np.ones((2, 1))}
OUTPUTS = {"y": np.ones(2)}
RULES = RolloutRules(shadow_share=1.0)

# Makes what takes so many seconds at each of its calls, by turns.
Taking = Callable[..., Callable[[], Any]]


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Taking:
    """Answers that take as long as a test says, by the shadow's clock."""
    clock = 0.0

    def make(*seconds: float) -> Callable[[], Any]:
        turns = itertools.cycle(seconds)

        def answer() -> Any:
            nonlocal clock
            clock += next(turns)
            return OUTPUTS

        return answer

    monkeypatch.setattr(shadow_module, "perf_counter", lambda: clock)
    return make


class Version:
    """As much of a servable as the shadow uses."""

    def __init__(self, answer: Callable[[], Any] = lambda: OUTPUTS) -> None:
        self.contract = {"s": "s"}
        self.answer = answer
        self.leases = 0
        self.interrupted = threading.Event()

    def predict(self, signature: str, inputs: Any) -> Any:
        return self.answer()

    def release(self) -> None:
        self.leases -= 1

    def interrupt(self) -> None:
        self.interrupted.set()


def fail() -> Any:
    raise RuntimeError("It breaks.")


def shadow_of(
    candidate: Version,
    is_idle: Callable[[], bool] = lambda: True,
    stuck_after_s: float = 60,
    champion: Version | None = None,
    rules: RolloutRules = RULES,
) -> Shadow:
    versions = {1: champion or Version(), 2: candidate}

    def lease(version: int) -> Any:
        versions[version].leases += 1
        return versions[version]

    return Shadow((1, 2), rules, lease, is_idle, IdleBudget(1), stuck_after_s=stuck_after_s)


def run(shadow: Shadow, batches: int, outputs: Any = OUTPUTS) -> None:
    for _ in range(batches):
        seen = shadow.counts().batches

        def is_seen(seen: int = seen) -> bool:
            shadow.observe("s", INPUTS, outputs)
            return shadow.counts().batches > seen

        eventually(is_seen)
    shadow.stop()


def test_a_candidate_that_does_alike_loses_nothing() -> None:
    candidate = Version()
    shadow = shadow_of(candidate)
    run(shadow, 3)
    found = shadow.counts()
    assert (found.lost, found.won, found.disagreed) == (0, 0, 0)
    assert found.timed == found.compared
    eventually(lambda: candidate.leases == 0)


@pytest.mark.parametrize(
    ("seconds", "is_slower"), [((9.0, 1.0, 5.0), False), ((3.0, 2.0, 4.0), True)]
)
def test_the_shortest_of_some_runs_are_compared(
    seconds: tuple[float, ...], is_slower: bool, taking: Taking
) -> None:
    """By its requests alone the champion is always warm; the candidate is cold at first."""
    own = shadow_of(Version(taking(*seconds)), champion=Version(taking(1.0)))
    run(own, 4)
    found = own.counts()
    assert (found.slower, found.timed) == (found.timed if is_slower else 0, found.compared)
    assert found.log_ratio == pytest.approx(found.timed * math.log(min(seconds)))


def test_a_request_that_comes_meanwhile_ends_a_batch() -> None:
    calls = 0

    def answer() -> Any:
        nonlocal calls
        calls += 1
        return OUTPUTS

    # It is idle when it begins, and not any more when it has run.
    shadow = shadow_of(Version(answer), is_idle=lambda: not calls)
    run(shadow, 1)
    assert (calls, shadow.counts().compared, shadow.counts().timed) == (1, 1, 0)


@pytest.mark.parametrize(("before_a_request", "is_timed"), [(3, False), (4, True), (5, True)])
def test_two_turns_without_a_request_are_enough(before_a_request: int, is_timed: bool) -> None:
    runs = 0

    def answer() -> Any:
        nonlocal runs
        runs += 1
        return OUTPUTS

    shadow = shadow_of(
        Version(answer), is_idle=lambda: runs < before_a_request, champion=Version(answer)
    )
    run(shadow, 1)
    assert (runs, shadow.counts().timed) == (before_a_request, int(is_timed))


@pytest.mark.parametrize(("seconds", "is_timed"), [(0.001, False), (1.0, True)])
def test_a_long_run_waits_for_an_idle_moment_of_its_own(
    seconds: float, is_timed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request comes during each run, and has its answer soon; long runs would never be timed."""
    clock, has_request = 0.0, False

    def answer() -> Any:
        nonlocal clock, has_request
        clock += seconds
        has_request = True
        return OUTPUTS

    def is_idle() -> bool:
        nonlocal has_request
        was_busy, has_request = has_request, False
        return not was_busy

    monkeypatch.setattr(shadow_module, "perf_counter", lambda: clock)
    shadow = shadow_of(Version(answer), is_idle, champion=Version(answer))
    run(shadow, 3)
    found = shadow.counts()
    assert (found.compared > 0, found.timed) == (True, found.compared * is_timed)


def test_waiting_for_an_idle_moment_is_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, runs, waits = 0.0, 0, 0
    is_over = threading.Event()

    def answer() -> Any:
        nonlocal clock, runs
        clock += 1.0
        runs += 1
        return OUTPUTS

    def is_idle() -> bool:
        nonlocal waits
        waits += runs > 1
        return not runs or is_over.is_set()

    monkeypatch.setattr(shadow_module, "perf_counter", lambda: clock)
    shadow = shadow_of(Version(answer), is_idle, stuck_after_s=0, champion=Version(answer))
    shadow.observe("s", INPUTS, OUTPUTS)
    eventually(lambda: waits > 3)
    assert not shadow.counts().stuck
    is_over.set()
    eventually(lambda: shadow.counts().batches)
    shadow.stop()


def test_far_slower_and_far_faster_batches_are_counted(taking: Taking) -> None:
    """The rules allow 1.25 times as long, so these are 2.5 and 0.625 times as long."""
    found = []
    for seconds in (2.6, 2.4, 0.65, 0.6):
        shadow = shadow_of(Version(taking(seconds)), champion=Version(taking(1.0)))
        run(shadow, 1)
        counts = shadow.counts()
        kinds = (counts.slower, counts.far_slower, counts.far_faster)
        found.append(tuple(each / counts.timed for each in kinds))
    assert found == [(1, 1, 0), (1, 0, 0), (0, 0, 0), (0, 0, 1)]


@pytest.mark.parametrize(("seconds", "is_slower"), [(1.04, False), (1.06, True)])
def test_versions_are_not_told_apart_by_less_than_two_loads_differ(
    seconds: float, is_slower: bool, taking: Taking
) -> None:
    versions = Version(taking(seconds)), Version(taking(1.0))
    shadow = shadow_of(versions[0], champion=versions[1], rules=replace(RULES, latency_margin=0.0))
    run(shadow, 1)
    found = shadow.counts()
    assert (found.timed > 0, found.slower) == (True, found.timed * is_slower)


def test_a_candidate_that_fails_the_second_time_has_no_time() -> None:
    outputs = iter([OUTPUTS])
    candidate = Version(lambda: next(outputs))
    shadow = shadow_of(candidate)
    run(shadow, 1)
    assert (shadow.counts().compared, shadow.counts().timed) == (1, 0)


@pytest.mark.parametrize("answer", [fail, lambda: {"y": np.array([1.0, np.nan])}])
def test_errors_and_nan_are_lost_batches(answer: Callable[[], Any]) -> None:
    shadow = shadow_of(Version(answer))
    run(shadow, 2)
    assert shadow.counts().lost == shadow.counts().batches


def test_a_batch_that_the_champion_failed_on_may_be_won() -> None:
    shadow = shadow_of(Version())
    run(shadow, 2, outputs=None)
    assert (shadow.counts().won, shadow.counts().lost) == (shadow.counts().batches, 0)


def test_a_signature_that_the_candidate_lacks_is_a_failure() -> None:
    candidate = Version()
    candidate.contract = {}
    shadow = shadow_of(candidate)
    run(shadow, 1)
    assert shadow.counts().lost >= 1


def test_batches_are_dropped_while_the_worker_is_busy() -> None:
    candidate = Version()
    shadow = shadow_of(candidate, is_idle=lambda: False)

    def is_dropped() -> bool:
        shadow.observe("s", INPUTS, OUTPUTS)
        return shadow.counts().dropped > 0

    eventually(is_dropped)
    assert (shadow.counts().batches, candidate.leases) == (0, 0)
    shadow.stop()


def test_an_answer_that_does_not_return_is_said_and_interrupted() -> None:
    candidate = Version()
    candidate.answer = lambda: candidate.interrupted.wait(60) and fail()
    shadow = shadow_of(candidate, stuck_after_s=0.01)
    shadow.observe("s", INPUTS, OUTPUTS)
    eventually(lambda: shadow.counts().stuck)
    shadow.stop()
    assert candidate.interrupted.is_set()
    eventually(lambda: candidate.leases == 0)


def test_while_failures_point_to_harm_the_candidate_alone_runs_and_once() -> None:
    """So more batches show more of them in the time that the shadow has; one in eight is timed."""
    calls = {"champion": 0, "candidate": 0}

    def champion() -> Any:
        calls["champion"] += 1
        return OUTPUTS

    def candidate() -> Any:
        calls["candidate"] += 1
        return fail() if calls["candidate"] == 1 else OUTPUTS

    shadow = shadow_of(Version(candidate), champion=Version(champion))
    run(shadow, 8)
    found = shadow.counts()
    assert (found.batches, found.lost, found.compared, found.timed) == (8, 1, 7, 0)
    assert calls == {"champion": 1, "candidate": 8}
    again = shadow_of(Version(fail), champion=Version(champion))
    run(again, 9)
    assert calls["champion"] == 3


def test_neither_always_comes_first_while_few_batches_are_timed() -> None:
    runs = ""

    def candidate() -> Any:
        nonlocal runs
        runs += "c"
        return fail() if runs.count("c") == 1 else OUTPUTS

    def champion() -> Any:
        nonlocal runs
        runs += "C"
        return OUTPUTS

    run(shadow_of(Version(candidate), champion=Version(champion)), 17)
    assert runs == "Cc" + 7 * "c" + "cCcCcC" + 7 * "c" + "CcCcCc"
