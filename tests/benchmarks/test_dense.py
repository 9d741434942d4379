"""The dense networks, computed with numpy."""

import numpy as np
import pytest

from benchmarks.dense import NETWORKS, PICTURES, ROWS, answers, random_rows, random_weights


def test_probabilities_are_those_of_the_network() -> None:
    # One hidden unit sees the first pixel, and speaks for the last class.
    hidden, out = np.zeros((784, 128), np.float32), np.zeros((128, 10), np.float32)
    hidden[0, 0], out[0, 9] = 1.0, np.log(3.0)
    images = np.zeros((2, 28, 28))
    images[1, 0, 0] = 255
    found = answers(PICTURES, [hidden, out], images)
    assert found[0] == pytest.approx([0.1] * 10)
    assert found[1] == pytest.approx([1 / 12] * 9 + [3 / 12])


def test_values_are_those_of_the_network() -> None:
    # The sum of a row through one unit of each hidden layer; below zero nothing gets through.
    first, second, out = (np.zeros(s, np.float32) for s in ((9, 64), (64, 64), (64, 1)))
    first[:, 0], second[0, 5], out[5, 0] = 1.0, 2.0, 3.0
    assert answers(ROWS, [first, second, out], [[1.0] * 9, [-1.0] * 9]).tolist() == [[54.0], [0.0]]


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_and_rows_are_the_same_in_every_process(name: str) -> None:
    # The export runs in a process of its own, and must make the network that the answers are of.
    network = NETWORKS[name]
    for one, other in zip(random_weights(network), random_weights(network), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(random_rows(network, 2), random_rows(network, 2))
    assert answers(network, random_weights(network), random_rows(network, 2)).shape == (
        2,
        network.widths[-1],
    )


def test_about_half_of_a_picture_is_black() -> None:
    pictures = random_rows(PICTURES, 64)
    assert pictures.shape == (64, 28, 28)
    assert (pictures.min(), pictures.max()) == (0, 255)
    assert np.mean(pictures == 0) == pytest.approx(0.5, abs=0.02)
