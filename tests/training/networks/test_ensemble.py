"""Networks side by side."""

import numpy as np
import pytest
import tensorflow as tf

from training.networks.ensemble import KnownError, known_loss


def test_a_network_is_judged_by_its_own_rows_alone() -> None:
    targets = tf.constant([[1.0, np.nan], [3.0, 5.0], [np.nan, np.nan]])
    answers = tf.constant([[2.0, 99.0], [3.0, 9.0], [99.0, 99.0]])
    assert known_loss(tf.square)(targets, answers).numpy().tolist() == [1.0, 8.0, 0.0]
    with tf.GradientTape() as tape:
        tape.watch(answers)
        loss = known_loss(tf.square)(targets, answers)
    assert tape.gradient(loss, answers).numpy().tolist() == [[2.0, 0.0], [0.0, 4.0], [0.0, 0.0]]
    metric = KnownError(lambda value: value * 10)
    metric.update_state(targets, answers)
    assert float(metric.result()) == pytest.approx((10 + 0 + 40) / 3)
