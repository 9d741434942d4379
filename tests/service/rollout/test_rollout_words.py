"""A rollout in sentences."""

from dataclasses import replace

from service.repository.rollout_policy import Rollout, RolloutRules, Stage
from service.rollout.assessment import StageEvidence
from service.rollout.rollout_words import (
    evidence_in_words,
    rollout_sentence,
    unserved_sentence,
)
from service.rollout.shadow import ShadowCounts
from service.runtime.arm_counts import BothArms

ROLLOUT = Rollout("a", 1, 2, Stage.SHADOW, 0.0, RolloutRules(shadow_batches=200))
CANARY = Rollout("a", 1, 2, Stage.CANARY, 5.0, RolloutRules(min_requests=100, step_s=0))


def test_every_state_says_who_answers() -> None:
    for state in (*Stage, "live", "rolled back", "ended by hand"):
        assert "ersion" in rollout_sentence(str(state), ROLLOUT)
    waiting = Rollout("a", 1)
    for state in ("waiting", "ended by hand"):
        assert "None" not in rollout_sentence(state, waiting)
    assert rollout_sentence("canary", CANARY) == (
        "Version 2 answers 5 % of the requests, version 1 the others."
    )


def test_a_rollout_whose_versions_do_not_serve_is_not_told_as_one_that_is() -> None:
    """Its candidate was deleted, or the model is unloaded."""
    assert unserved_sentence(CANARY, [1, 2, 7]) == ""
    assert unserved_sentence(Rollout("a", 1), [1]) == ""
    assert unserved_sentence(CANARY, [1]) == (
        "Nothing is tried out, because version 2 does not serve (yet)."
    )
    assert unserved_sentence(CANARY, []) == (
        "Nothing is tried out, because versions 1 and 2 do not serve (yet)."
    )


def test_the_shadow_says_what_is_missing_and_what_was_seen() -> None:
    shadow = ShadowCounts(batches=50, dropped=3, compared=400.0, disagreed=20.0)
    words = evidence_in_words(ROLLOUT, [StageEvidence(Stage.SHADOW, 0, shadow=shadow)], elapsed_s=5)
    assert words[:2] == [
        "It has answered 50 of 200 batches.",
        "It answered 50 batches again; 3 were left out because the service was busy.",
    ]
    assert words[2].startswith("It answered 5 % of the rows differently; the true share is not ")
    assert words[-1].startswith("The evidence of harm is ")
    assert words[-1].endswith("at 100 the version is rolled back.")


def test_the_shadow_says_why_times_were_not_compared() -> None:
    shadow = ShadowCounts(batches=200, compared=200, timed=40)
    for lost, reason in (
        (0, "a request came too soon."),
        (1, "a request came too soon, or failures alone were looked for."),
    ):
        stages = [StageEvidence(Stage.SHADOW, 0, shadow=replace(shadow, lost=lost))]
        assert (
            "Times were compared on 40 of 200 batches that both answered; on the others " + reason
        ) in evidence_in_words(ROLLOUT, stages, elapsed_s=5)


def test_a_canary_that_waits_for_failures_of_the_shadow_says_so() -> None:
    """No request has failed, so it would not be known otherwise what points to harm."""
    arms = BothArms()
    arms.candidate.units, arms.champion.units = 200, 2_000
    stages = [
        StageEvidence(Stage.SHADOW, 0, shadow=ShadowCounts(batches=1_100, lost=1)),
        StageEvidence(Stage.CANARY, 5.0, arms, ShadowCounts(batches=100, lost=1)),
    ]
    words = evidence_in_words(CANARY, stages, elapsed_s=60)
    assert words[0].endswith("more errors are possible still, and it fails more often so far.")
    assert (
        "Of 1,200 batches that both ran, it failed on 2 that version 1 answered, and answered 0 on "
        "which that failed."
    ) in words
    quiet = evidence_in_words(CANARY, [StageEvidence(Stage.CANARY, 5.0, arms)], elapsed_s=60)
    assert not any("batches that both ran" in each for each in quiet)


def test_a_canary_says_who_failed_how_often() -> None:
    arms = BothArms()
    arms.candidate.units, arms.candidate.failures = 120, 1
    arms.champion.units, arms.champion.failures = 2400, 20
    words = evidence_in_words(CANARY, [StageEvidence(Stage.CANARY, 5.0, arms)], elapsed_s=60)
    assert words[1] == (
        "Version 2 answered 120 requests and failed on 1; version 1 answered 2,400 and failed on "
        "20."
    )
    assert any(word.startswith("Not more than ") and "more errors" in word for word in words)


def test_a_canary_says_why_it_waits() -> None:
    """Clients with short deadlines, and a worker that is seldom idle."""
    arms = BothArms()
    arms.candidate.units, arms.champion.units = 120, 2400
    arms.candidate.failures, arms.champion.failures = 40, 900
    arms.candidate.unavailable, arms.champion.unavailable = 40, 870
    now = StageEvidence(Stage.CANARY, 5.0, arms, ShadowCounts(batches=80, compared=80, timed=9))
    words = evidence_in_words(CANARY, [now], elapsed_s=60)
    assert words[0].endswith(
        "more errors are possible still. Of 940 errors of both versions, 910 had no time (504) or "
        "no room (429, 503)."
    )
    arms.candidate.failures = arms.champion.failures = 0
    arms.candidate.unavailable = arms.champion.unavailable = 0
    arms.candidate.units = 2400
    words = evidence_in_words(CANARY, [now], elapsed_s=60)
    assert (
        "Times were compared on 9 of 80 batches that both answered; on the others a request came "
        "too soon."
    ) in words


def test_evidence_that_is_larger_than_any_number_can_be_said() -> None:
    arms = BothArms()
    arms.candidate.units = arms.candidate.failures = 1000
    words = evidence_in_words(CANARY, [StageEvidence(Stage.CANARY, 5.0, arms)], elapsed_s=60)
    assert words[-1].startswith("The evidence of harm is 1e+300")
