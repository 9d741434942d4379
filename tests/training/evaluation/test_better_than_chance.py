"""Whether a version is better than luck, told by the end of an interval."""

import numpy as np
import pytest

from training.evaluation.better_than_chance import beyond_luck
from training.evaluation.predictions import ClassificationPredictions, RegressionPredictions


def classified(*counts: tuple[int, int]) -> ClassificationPredictions:
    """Return answers of which, for each class, so many of so many are right."""
    labels, predicted = [], []
    for label, (right, support) in enumerate(counts):
        other = (label + 1) % len(counts)
        labels += [label] * support
        predicted += [label] * right + [other] * (support - right)
    names = ["common", "rare", "third"][: len(counts)]
    return ClassificationPredictions(
        names=names, labels=np.array(labels), probabilities=np.eye(len(counts))[predicted]
    )


def test_a_rare_class_that_is_never_found_is_no_good_model() -> None:
    luck = beyond_luck(classified((1800, 1800), (0, 2)))
    assert not luck.beaten
    assert luck.sentence == (
        "The mean recall of the classes is 0.5000 on 1,802 test rows (95 % confidence: 0.4989 to "
        "0.8288); one answer to all reaches 0.5000; never found: 'rare' (0 of 2 test rows)."
    )


def test_a_class_that_is_never_found_beside_two_that_are() -> None:
    luck = beyond_luck(classified((90, 100), (95, 100), (0, 100)))
    assert luck.figures["low"] > luck.figures["luck"]
    assert not luck.beaten
    assert "never found: 'third' (0 of 100 test rows)" in luck.sentence


def test_a_class_without_a_test_row() -> None:
    luck = beyond_luck(classified((90, 100), (95, 100), (0, 0)))
    assert not luck.beaten
    assert "no test row is of class 'third'" in luck.sentence


@pytest.mark.parametrize(("right", "beaten"), [(9, True), (8, True), (6, False), (4, False)])
def test_of_18_rows_only_a_good_model_is_better_than_luck(right: int, beaten: bool) -> None:
    luck = beyond_luck(classified((right, 9), (right, 9)))
    assert luck.beaten == beaten
    assert ("too few rows to tell" in luck.sentence) == (right == 6)


def estimated(count: int, noise: float) -> RegressionPredictions:
    random = np.random.default_rng(0)
    actual = random.normal(20, 5, count)
    return RegressionPredictions(
        unit="m", actual=actual, predicted=(actual + random.normal(0, noise, count))[None]
    )


def test_numbers_must_be_nearer_than_the_median() -> None:
    good, bad = beyond_luck(estimated(100, 2)), beyond_luck(estimated(100, 9))
    assert (good.beaten, bad.beaten) == (True, False)
    assert "answering the median reaches" in good.sentence
    assert "too few" not in bad.sentence
    few = beyond_luck(estimated(20, 4))
    assert not few.beaten
    assert few.sentence.endswith("too few rows to tell.")
