"""Probabilities of classes."""

import math

import numpy as np
import pytest

from training.evaluation.probabilities import log_loss


def test_log_loss_stays_finite() -> None:
    sure = np.array([[1.0, 0.0]])
    assert log_loss(sure, np.array([0])) == 0
    assert log_loss(sure, np.array([1])) == pytest.approx(12 * math.log(10))
