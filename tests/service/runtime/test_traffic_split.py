"""The split of requests: a pure function of texts, the same everywhere."""

from dataclasses import dataclass, replace

import pytest

from service.repository.rollout_policy import Stage
from service.runtime.arm_counts import RequestOutcome, summed, units_from_json
from service.runtime.traffic_split import Arm, TrafficSplit, Trial, hash64, split_from_json

SPLIT = TrafficSplit("salt", 3, 4, Stage.CANARY, 5.0)


@dataclass
class Request:
    routing_key: str
    has_own_key: bool = False
    arm: Arm | None = None


def candidates(split: TrafficSplit, model: str = "m", count: int = 20_000) -> set[int]:
    trial = Trial(model, split, refuse_alike=True)
    return {i for i in range(count) if trial.choose(Request(str(i))) == split.candidate}


def test_the_hash_is_the_one_that_is_documented() -> None:
    assert hash64("salt", "m", "key") == int.from_bytes(
        __import__("hashlib").blake2b(b"salt\0m\0key", digest_size=8).digest(), "big"
    )
    assert hash64("a", "bc", "") != hash64("ab", "c", "")


@pytest.mark.parametrize("percent", [1.0, 5.0, 25.0, 50.0])
def test_the_share_is_what_it_should_be(percent: float) -> None:
    share = len(candidates(replace(SPLIT, percent=percent))) / 20_000
    assert share == pytest.approx(percent / 100, abs=4 * (percent / 100 / 20_000) ** 0.5)


def test_who_has_the_candidate_keeps_it_at_the_next_step() -> None:
    first, then = (candidates(replace(SPLIT, percent=p)) for p in (1.0, 5.0))
    assert first < then
    # Neither another model's nor another rollout's requests fall alike.
    other = candidates(replace(SPLIT, rollout="other"))
    assert len(candidates(SPLIT) & other) < 0.2 * len(other)
    assert candidates(SPLIT, "n") != candidates(SPLIT)


def test_nobody_has_it_in_the_shadow_and_everybody_after_promotion() -> None:
    shadow = replace(SPLIT, stage=Stage.SHADOW, percent=0.0)
    baking = replace(SPLIT, stage=Stage.BAKING, percent=100.0)
    assert not candidates(shadow, count=500)
    assert len(candidates(baking, count=500)) == 500
    assert (shadow.leading, SPLIT.leading, baking.leading) == (3, 3, 4)


def test_a_request_knows_its_arm_and_counts_there() -> None:
    trial = Trial("m", replace(SPLIT, percent=100.0), refuse_alike=True)
    request = Request("k", has_own_key=True)
    trial.choose(request)
    assert request.arm is not None
    request.arm.note(RequestOutcome.FAILED)
    assert summed([units_from_json(trial.counts.to_json())]).candidate.failures == 1
    assert split_from_json(SPLIT.to_json()) == SPLIT


@pytest.mark.parametrize("percent", [0.0, 50.0, 100.0])
def test_keys_are_counted_once_whatever_the_share_is(percent: float) -> None:
    trial = Trial("m", replace(SPLIT, percent=percent), refuse_alike=True)
    for request in [Request("k", has_own_key=True)] * 3 + [Request("own")] * 2:
        trial.choose(request)
        assert request.arm is not None
        request.arm.note(RequestOutcome.ANSWERED)
    counts = trial.counts.to_json()
    # The key's three requests are one unit, which is kept by its hash.
    assert counts["champion"]["units"] + counts["candidate"]["units"] == 2
    assert counts["keys"] != ""


@pytest.mark.parametrize(
    ("alike", "is_refusal", "outcome", "units"),
    [
        (True, True, RequestOutcome.FAILED, 0),
        (False, True, RequestOutcome.FAILED, 1),
        (True, False, RequestOutcome.FAILED, 1),
        (True, True, RequestOutcome.UNAVAILABLE, 1),
    ],
)
def test_what_both_contracts_refuse_counts_for_neither(
    alike: bool, is_refusal: bool, outcome: RequestOutcome, units: int
) -> None:
    trial = Trial("m", replace(SPLIT, percent=100.0), refuse_alike=alike)
    request = Request("k")
    trial.choose(request)
    assert request.arm is not None
    request.arm.note(outcome, is_refusal=is_refusal)
    assert trial.counts.to_json()["candidate"]["units"] == units
