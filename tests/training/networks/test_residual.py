"""The residual network and its form for serving."""

import numpy as np

from training.networks.residual import fold_normalisations, residual_network


def test_a_folded_network_answers_as_the_trained_one() -> None:
    trained = residual_network(28, 10)
    random = np.random.default_rng(0)
    trained.set_weights([random.uniform(0.5, 1, w.shape) * 0.1 for w in trained.get_weights()])
    images = random.uniform(0, 255, (3, 28, 28)).astype(np.float32)
    folded = fold_normalisations(trained)
    assert np.allclose(folded(images), trained(images, training=False), rtol=1e-3, atol=1e-4)
    assert not any("normalization" in type(layer).__name__.lower() for layer in folded.layers)


def test_the_default_network_is_small() -> None:
    assert residual_network(28, 10).count_params() < 600_000
