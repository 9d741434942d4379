"""Evidence of drift: rare without it however often one looks, and quick with it."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.monitoring.drift.drift_evidence import (
    after_block,
    largest_log_likelihood,
    log_dirichlet_multinomial,
    log_e_value,
    reference_radius,
    relative_entropy,
)

SHARES = np.array([0.4, 0.3, 0.2, 0.1])


def test_the_mixture_gives_probabilities_of_sequences() -> None:
    # All sequences of three rows in two bins, by how many there are of each kind.
    prior = np.array([0.5, 0.5])
    kinds = [(0, 3, 1), (1, 2, 3), (2, 1, 3), (3, 0, 1)]
    total = sum(
        times * math.exp(log_dirichlet_multinomial(np.array([a, b], float), prior))
        for a, b, times in kinds
    )
    assert total == pytest.approx(1.0)


def test_the_radius_bounds_how_far_references_are_from_their_source() -> None:
    random = np.random.default_rng(0)
    radius = reference_radius(500, 4, 0.01)
    references = random.multinomial(500, SHARES, 2_000) / 500
    far = [relative_entropy(shares, SHARES) > radius for shares in references]
    assert sum(far) <= 0.01 * len(far)
    assert reference_radius(5_000, 4, 0.01) < radius < reference_radius(500, 13, 0.01)


@given(
    counts=st.lists(st.integers(0, 300), min_size=4, max_size=4).filter(any),
    seed=st.integers(0, 1000),
)
def test_no_distribution_of_the_null_suits_better_than_the_best(
    counts: list[int], seed: int
) -> None:
    reference = np.array([200, 150, 100, 0])
    radius = 0.05
    rows = np.array(counts, float)
    best = largest_log_likelihood(rows, reference, radius)
    random = np.random.default_rng(seed)
    shares = reference / reference.sum()
    for strength in (5, 50, 500, 5000):
        other = random.dirichlet(shares * strength + 1e-3)
        if relative_entropy(shares, other) <= radius:
            with np.errstate(divide="ignore", invalid="ignore"):
                likelihood = np.where(rows > 0, rows * np.log(other), 0.0).sum()
            assert likelihood <= best + 1e-6


def test_an_e_value_is_at_most_one_on_average_without_drift() -> None:
    random = np.random.default_rng(1)
    for distance in (0.0, 0.9):
        # The source at the edge of what the null hypothesis allows is the hardest case.
        source = SHARES
        reference = SHARES * 5_000
        radius = 0.002
        while distance and relative_entropy(SHARES, source) < radius * distance:
            source = source + np.array([0.001, -0.001, 0.001, -0.001])
        blocks = random.multinomial(200, source, 300)
        values = [math.exp(log_e_value(block, reference, radius)) for block in blocks]
        assert np.mean(values) < 1


def test_no_block_has_evidence_without_rows() -> None:
    assert log_e_value(np.zeros(4), SHARES * 100, 0.05) == 0.0


def test_history_makes_evidence_grow_faster() -> None:
    reference, block = SHARES * 5_000, np.array([4.0, 6.0, 4.0, 6.0])
    alone = log_e_value(block, reference, 0.01)
    assert log_e_value(block, reference, 0.01, 10 * block) > alone


def test_evidence_forgets_good_days_and_an_alarm_ends() -> None:
    log_restart, evidence = 0.0, 0.0
    for _ in range(1_000):
        log_restart, evidence = after_block(log_restart, -5.0, 1e8)
    assert 0 < evidence < 0.01
    log_restart, evidence = after_block(log_restart, 12.0, 1e8)
    assert evidence > 1e5
    for _ in range(20):
        log_restart, evidence = after_block(log_restart, 30.0, 1e8)
    assert evidence == pytest.approx(1e8)
    for _ in range(4):
        log_restart, evidence = after_block(log_restart, -5.0, 1e8)
    assert evidence < 1e3
