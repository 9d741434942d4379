"""That evidence keeps its promises, by simulation: a look at every request, thousands of streams."""

import math
from fractions import Fraction

import numpy as np
import pytest

from benchmarks.rollout_evidence import (
    Harm,
    clopper_pearson_upper,
    evidence_of_each_event,
    run_stream,
)
from service.repository.rollout_policy import RolloutRules
from service.rollout.e_processes import (
    ArmEvents,
    Proportion,
    log_average,
    log_evidence_above,
    log_evidence_below,
    log_evidence_of_losses,
    log_evidence_of_more,
    lower_bound,
    upper_bound,
    upper_bound_of_difference,
)
from service.rollout.paired_betting import upper_bound_of_lead

ALPHA = 0.01
STREAMS = 2000


def ever(log_e: np.ndarray) -> int:
    """Return how many streams, of the first axis, ever reach the threshold."""
    return int((log_e.max(axis=1) >= -math.log(ALPHA)).sum())


def test_no_false_rollback_more_often_than_alpha_at_a_look_at_every_request() -> None:
    """Errors come in any number; a request without one changes no evidence, so events suffice."""
    shares = np.repeat([0.01, 0.05, 0.25, 0.5], 100)
    random = np.random.default_rng(1)
    is_candidates = random.random((STREAMS, shares.size)) < shares
    found = evidence_of_each_event(is_candidates, shares)
    false = ever(found)
    assert clopper_pearson_upper(false, STREAMS) <= 2 * ALPHA
    assert false / STREAMS <= ALPHA
    # The vectorised evidence is the service's.
    counted = [
        ArmEvents(
            int(is_candidates[0, shares == s].sum()), int((~is_candidates[0, shares == s]).sum()), s
        )
        for s in np.unique(shares)
    ]
    assert log_evidence_of_more(counted) == pytest.approx(found[0, -1])


def test_bounds_hold_at_every_moment() -> None:
    random = np.random.default_rng(2)
    steps = np.unique(np.geomspace(1, 3000, 60).astype(int))
    missed = 0
    for p in (0.02, 0.3):
        sums = (random.random((100, 3000)) < p).cumsum(axis=1)
        for stream in sums:
            missed += any(
                log_evidence_above(Proportion(stream[n - 1], n), p) >= -math.log(ALPHA)
                or log_evidence_below(Proportion(stream[n - 1], n), p) >= -math.log(ALPHA)
                for n in steps
            )
    assert missed / 200 <= 2 * ALPHA


def test_the_expectation_of_evidence_is_at_most_one_at_a_fixed_time() -> None:
    """Exactly, over all outcomes: what Ville's inequality needs, and no simulation shows."""
    n = 12
    for bound in (0.1, 0.5):
        for p in (bound, bound / 2):
            mean = sum(
                math.comb(n, k)
                * p**k
                * (1 - p) ** (n - k)
                * math.exp(log_evidence_above(Proportion(k, n), bound))
                for k in range(n + 1)
            )
            assert mean <= 1 + 1e-9
    for share in (0.01, 0.5):
        mean = sum(
            math.comb(n, k)
            * share**k
            * (1 - share) ** (n - k)
            * math.exp(log_evidence_of_more([ArmEvents(k, n - k, share)]))
            for k in range(n + 1)
        )
        assert mean == pytest.approx(1)


def test_values_between_zero_and_one_are_no_stronger_evidence_than_events() -> None:
    random = np.random.default_rng(3)
    values = random.beta(1, 4, (STREAMS // 4, 400))  # Their mean is 0.2.
    sums = values.cumsum(axis=1)
    found = np.array(
        [
            [log_evidence_above(Proportion(row[n - 1], n), 0.2) for n in (10, 50, 100, 200, 400)]
            for row in sums
        ]
    )
    assert ever(found) / len(found) <= ALPHA


def test_pairs_speak_against_the_candidate_only_if_it_loses_more_of_them() -> None:
    assert log_evidence_of_losses(12, 0) > -math.log(ALPHA) > log_evidence_of_losses(4, 0)
    assert log_evidence_of_losses(0, 50) < 0
    assert abs(log_evidence_of_losses(0, 0)) < 1e-12
    assert upper_bound_of_lead(0, 0, 1000, ALPHA) < 0.01
    assert upper_bound_of_lead(0, 0, 0, ALPHA) == pytest.approx(1)


def test_non_inferiority_needs_data_and_errors_of_both_arms() -> None:
    none = Proportion(0, 0)
    assert upper_bound_of_difference(none, none, ALPHA) == 1
    clean = Proportion(0, 700)
    assert upper_bound_of_difference(clean, clean, ALPHA) < 0.01
    # Errors that the champion makes as well are not the candidate's harm.
    alike = Proportion(2000, 20_000)
    assert upper_bound_of_difference(alike, alike, ALPHA) < 0.03 < upper_bound(alike, ALPHA)
    assert lower_bound(Proportion(50, 100), ALPHA) < 0.5 < upper_bound(Proportion(50, 100), ALPHA)


def test_the_average_of_evidence_is_the_mean_of_the_e_values() -> None:
    assert log_average([math.log(4), 0.0]) == pytest.approx(math.log(Fraction(5, 2)))
    assert log_average([]) == 0
    # As many as there are guards, one alone must show so much more.
    assert log_average([math.log(599), *[0.0] * 5]) > -math.log(ALPHA)


@pytest.mark.parametrize(("share", "most_exposed"), [(0.01, 4), (0.05, 5), (0.25, 7), (0.5, 13)])
def test_a_candidate_that_always_fails_is_stopped_after_a_few_requests(
    share: float, most_exposed: int
) -> None:
    need = math.log(8 / ALPHA)
    exposed = next(
        n for n in range(1, 50) if log_evidence_of_more([ArmEvents(n, 0, share)]) >= need
    )
    assert exposed <= most_exposed


@pytest.mark.parametrize(
    ("harm", "outcome", "most_exposed"),
    [
        (Harm("none"), "live", math.inf),
        (Harm("swapped labels", disagreement=0.2), "rolled back", 0),
        (Harm("batches fail", errors=0.2, lost=0.2), "rolled back", 0),
        (Harm("errors", errors=0.2), "rolled back", 60),
        (Harm("always slower", slower=0.78), "rolled back", 0),
        (Harm("slow inputs", far_slower=0.2), "rolled back", 0),
    ],
)
def test_a_rollout_by_simulated_requests_ends_right_and_soon(
    harm: Harm, outcome: str, most_exposed: float
) -> None:
    """In short; ``python -m benchmarks.rollout_evidence`` prints the whole table."""
    rules = RolloutRules(step_s=0, bake_s=0)
    for seed in range(5):
        ending = run_stream(harm, rules, np.random.default_rng(seed))
        assert ending.outcome == outcome
        assert ending.exposed <= most_exposed
