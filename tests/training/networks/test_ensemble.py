"""Networks side by side."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from training.networks.ensemble import KnownError, known_loss, side_by_side


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


def test_dropout_leaves_out_hidden_units_and_nothing_of_what_a_network_is_told() -> None:
    keras.utils.set_random_seed(1)
    views = np.ones((200, 3, 4), np.float32)
    linear = side_by_side(3, 4, [], "relu", dropout=0.9)
    assert np.ptp(linear(views, training=True), axis=0).max() == 0
    deep = side_by_side(3, 4, [8, 8], "relu", dropout=0.5)
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in deep.layers) == 2
    assert np.ptp(deep(views, training=True), axis=0).min() > 0
    assert np.ptp(deep(views, training=False), axis=0).max() == 0
