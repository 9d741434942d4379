"""The size of a difference."""

import math

import numpy as np
import pytest

from service.monitoring.drift.effect_size import (
    jensen_shannon_distance,
    population_stability_index,
    stability_index_by_chance,
)


def test_the_distance_goes_from_alike_to_nothing_in_common() -> None:
    assert jensen_shannon_distance(np.array([10, 20]), np.array([100, 200])) == 0.0
    assert jensen_shannon_distance(np.array([10, 0]), np.array([0, 5])) == 1.0
    halves = jensen_shannon_distance(np.array([1, 0]), np.array([1, 1]))
    # 1/2 (log2(1 / 0.75) + 1/2 log2(0.5 / 0.75) + 1/2 log2(0.5 / 0.25))
    assert halves == pytest.approx(math.sqrt(0.311278))


def test_the_index_is_finite_for_empty_bins() -> None:
    assert population_stability_index(np.array([10, 20]), np.array([10, 20])) == 0.0
    assert 1 < population_stability_index(np.array([100, 0]), np.array([0, 100])) < 20


def test_the_index_by_chance_covers_its_share_of_samples() -> None:
    random = np.random.default_rng(0)
    shares = np.full(10, 0.1)
    bound = stability_index_by_chance(300, 3_000, 10)
    beyond = [
        population_stability_index(
            random.multinomial(300, shares), random.multinomial(3_000, shares)
        )
        > bound
        for _ in range(3_000)
    ]
    assert 0.005 < np.mean(beyond) < 0.02
    # The quantile of chi-square with 9 degrees of freedom is 21.666.
    assert bound / (1 / 300 + 1 / 3_000) == pytest.approx(21.666, rel=0.005)
