"""Who learns from which row."""

import numpy as np

from training.data.fold_assignment import assign_folds


def test_membership_holds_each_row_out_once_a_repeat() -> None:
    networks = assign_folds(10, repeats=2, parts=5, members=3, seed=1)
    learns = networks.learns
    assert learns.shape == (10, 33)
    assert learns[:, -3:].all()
    for repeat in range(2):
        first_members = learns[:, repeat * 15 : (repeat + 1) * 15 : 3]
        assert (~first_members).sum(axis=1).tolist() == [1] * 10
        assert (~first_members).sum(axis=0).tolist() == [2] * 5


def test_answers_of_a_cross_validation_are_those_of_networks_that_never_saw_the_row() -> None:
    networks = assign_folds(10, repeats=2, parts=5, members=3, seed=1)
    # Whoever has seen a row answers nonsense; a fold's members err by -1, 0 and 1.
    fold = np.arange(networks.networks) // 3
    answers = np.where(networks.learns, 1e9, fold + np.tile([-1.0, 0.0, 1.0], 11))
    unseen = networks.unseen(answers, lambda mean: mean * 2)
    first, second = networks.fold_of()
    assert unseen.tolist() == [(first * 2).tolist(), ((second + 5) * 2).tolist()]
    held_out = networks.held_out()
    assert held_out.shape == (10, 10)
    assert held_out[first, range(10)].all()
    assert held_out[5 + second, range(10)].all()
