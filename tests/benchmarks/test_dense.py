"""The dense network, computed with numpy."""

import numpy as np
import pytest

from benchmarks.dense import Weights, probabilities, random_pictures, random_weights


def test_probabilities_are_those_of_the_network() -> None:
    # One hidden unit sees the first pixel, and speaks for the last class.
    hidden, out = np.zeros((784, 128), np.float32), np.zeros((128, 10), np.float32)
    hidden[0, 0], out[0, 9] = 1.0, np.log(3.0)
    images = np.zeros((2, 28, 28))
    images[1, 0, 0] = 255
    answers = probabilities(Weights(hidden, out), images)
    assert answers[0] == pytest.approx([0.1] * 10)
    assert answers[1] == pytest.approx([1 / 12] * 9 + [3 / 12])


def test_weights_and_pictures_are_the_same_in_every_process() -> None:
    # The export runs in a process of its own, and must make the network that the answers are of.
    assert np.array_equal(random_weights().hidden, random_weights().hidden)
    assert np.array_equal(random_pictures(2), random_pictures(2))


def test_about_half_of_a_picture_is_black() -> None:
    pictures = random_pictures(64)
    assert pictures.shape == (64, 28, 28)
    assert (pictures.min(), pictures.max()) == (0, 255)
    assert np.mean(pictures == 0) == pytest.approx(0.5, abs=0.02)
