"""Networks whose weights are constants."""

import keras
import numpy as np
import tensorflow as tf

from training.networks.frozen_weights import frozen


def test_a_frozen_network_answers_the_same_without_variables() -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.BatchNormalization()(keras.layers.Dense(2)(inputs)))
    x = np.ones((4, 3), np.float32)
    graph = tf.function(frozen(model)).get_concrete_function(tf.TensorSpec((None, 3)))
    assert np.allclose(graph(tf.constant(x)), model(x, training=False))
    assert graph.variables == ()
