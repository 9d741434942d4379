"""Dividing rows."""

import numpy as np

from training.data.splits import folds, stratified


def test_each_class_gives_its_share() -> None:
    labels = np.repeat([0, 1], [900, 100])
    training, held_out = stratified(labels, 100, seed=3)
    assert np.bincount(labels[held_out]).tolist() == [90, 10]
    assert np.sort(np.concatenate([training, held_out])).tolist() == list(range(1000))


def test_the_seed_decides() -> None:
    labels = np.arange(100) % 2
    first, again, other = (stratified(labels, 10, seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_folds_hold_every_row_once() -> None:
    parts = folds(398, 5, seed=1)
    assert [len(part) for part in parts] == [80, 80, 80, 79, 79]
    assert np.sort(np.concatenate(parts)).tolist() == list(range(398))
