"""Live quality against the card's, from truths."""

import numpy as np
import pytest

from service.monitoring.drift.expected_accuracy import expected_accuracy
from service.monitoring.drift.live_quality import (
    Harm,
    LiveRisk,
    clipped_errors,
    confidence_sequence,
    harm,
)


def test_the_sequence_holds_the_mean_at_all_times_in_nearly_all_streams() -> None:
    random = np.random.default_rng(0)
    missed = 0
    for _ in range(200):
        losses = (random.random(400) < 0.08).astype(float)
        # Cells are only ever excluded, so that the last interval lies within all earlier ones.
        risk = confidence_sequence(losses)
        missed += not risk.low <= 0.08 <= risk.high
    # 5 % are allowed; 19 of 200 would come by chance in fewer than one of a hundred tests.
    assert missed <= 18


def test_it_narrows_and_never_widens() -> None:
    losses = (np.random.default_rng(1).random(2_500) < 0.3).astype(float)
    whole = confidence_sequence(losses)
    for count in (10, 100, 1_000):
        part = confidence_sequence(losses[:count])
        assert part.low <= whole.low
        assert part.high >= whole.high
    assert whole.high - whole.low < 0.12
    assert whole.truths == 2_500


def test_without_truths_anything_is_possible() -> None:
    risk = confidence_sequence(np.array([]))
    assert (risk.truths, risk.low, risk.high) == (0, 0.0, 1.0)
    assert harm(risk, 0.06, 0.05, 0.01) is Harm.OPEN


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.08, 0.2, Harm.SHOWN), (0.02, 0.06, Harm.EXCLUDED), (0.05, 0.2, Harm.OPEN)],
)
def test_harm_needs_the_whole_interval(low: float, high: float, verdict: Harm) -> None:
    risk = LiveRisk(500, 0.1, low, high)
    assert harm(risk, 0.06, 0.05, 0.01) is verdict


def test_errors_of_numbers_are_clipped() -> None:
    assert list(clipped_errors(np.array([-1.0, 0.5, 9.0]), 2.0)) == [0.5, 0.25, 1.0]
    with pytest.raises(ValueError, match="between 0 and 1"):
        confidence_sequence(np.array([1.5]))


def test_expected_accuracy_is_the_mean_probability_with_its_interval() -> None:
    assert expected_accuracy(0.0, 0) is None
    found = expected_accuracy(900.0, 1_000)
    assert found is not None
    assert found.value == pytest.approx(0.9)
    assert found.low == pytest.approx(0.8814, abs=1e-4)
    assert found.high == pytest.approx(0.9186, abs=1e-4)
    # What rounding adds is no probability above 1.
    certain = expected_accuracy(10.0000001, 10)
    assert certain is not None
    assert certain.value == certain.high == 1.0
