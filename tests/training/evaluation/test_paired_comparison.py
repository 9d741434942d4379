"""Two versions on the same examples."""

from pathlib import Path

import numpy as np

from training.evaluation.out_of_fold import read_errors, write_errors
from training.evaluation.paired_comparison import compare_answers, compare_out_of_fold
from training.evaluation.predictions import ClassificationPredictions, RegressionPredictions

TRUE = np.zeros(1_000, np.int64)


def classified(wrong: slice) -> ClassificationPredictions:
    probabilities = np.tile([0.9, 0.1], (1_000, 1))
    probabilities[wrong] = [0.2, 0.8]
    return ClassificationPredictions(names=("a", "b"), labels=TRUE, probabilities=probabilities)


def estimated(
    predicted: float | np.ndarray, keys: list[str] | None = None
) -> RegressionPredictions:
    actual = np.arange(10.0)
    return RegressionPredictions(
        unit="m", actual=actual, predicted=(actual + predicted)[None], keys=keys or ()
    )


def test_a_regression_of_classes_is_told_with_its_numbers() -> None:
    compared = compare_answers(classified(slice(40, 140)), classified(slice(120, 180)))
    assert compared.is_regression
    assert compared.sentence(3) == (
        "Worse by 0.0400 accuracy than live version 3 (95 % interval 0.0187 to 0.0613; McNemar's "
        "test, mid-p, one-sided, p = 0.0001): 0.9000 instead of 0.9400 on the same 1,000 test "
        "examples; only the live one is right on 80, only the new one on 40."
    )
    figures = compared.to_json()
    assert (figures["new"], figures["live"], figures["examples"]) == (0.9, 0.94, 1_000)


def test_neither_chance_nor_progress_is_a_regression() -> None:
    one_more = compare_answers(classified(slice(0, 52)), classified(slice(50, 100)))
    assert one_more.new < one_more.live
    assert not one_more.is_regression
    better = compare_answers(classified(slice(0, 10)), classified(slice(0, 100)))
    assert not better.is_regression
    assert better.p > 0.99


def test_errors_of_numbers() -> None:
    worse = compare_answers(estimated(2.0), estimated(1.0))
    assert worse.is_regression
    assert (worse.live, worse.new, worse.low, worse.high) == (1, 2, 1, 1)
    assert worse.sentence(1).startswith("Worse by 1.0000 MAE than live version 1 (90 % interval 1.")
    better = compare_answers(estimated(1.0), estimated(2.0))
    assert not better.is_regression
    assert better.sentence(1) == (
        "Better by 1.0000 MAE than live version 1 (90 % interval 1.0000 to 1.0000): "
        "1.0000 instead of 2.0000 on the same 10 test examples."
    )
    mixed = estimated(np.array([3.0, -1, 1, 1, 1, 1, 1, 1, 1, 0]))
    assert not compare_answers(mixed, estimated(1.0)).is_regression


def test_cross_validations_meet_at_the_keys_that_both_have() -> None:
    keys = [f"car {row}" for row in range(10)]
    compared = compare_out_of_fold(estimated(2.0, keys), {"car 7": 1.0, "car 2": 2.5, "gone": 9.0})
    assert compared is not None
    assert (compared.examples, compared.live, compared.new) == (2, 1.75, 2.0)
    assert compare_out_of_fold(estimated(2.0, keys), {"gone": 9.0}) is None


def test_a_cross_validation_is_no_worse_than_itself(tmp_path: Path) -> None:
    for seed in range(60):
        random = np.random.default_rng(seed)
        keys = [f"car {row}" for row in range(30)]
        same = RegressionPredictions(
            unit="m", actual=np.zeros(30), predicted=random.normal(size=(10, 30)), keys=keys
        )
        write_errors(tmp_path, same)
        kept = read_errors(tmp_path)
        assert kept is not None
        compared = compare_out_of_fold(same, kept)
        assert compared is not None
        assert (compared.new, compared.low, compared.high) == (compared.live, 0, 0)
        assert not compared.is_regression
