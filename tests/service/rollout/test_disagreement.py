"""What counts as another answer."""

import numpy as np
import pytest

from service.rollout.disagreement import is_finite, share_of_disagreement


def objects(*values: bytes) -> np.ndarray:
    return np.array(values, object)


def test_labels_decide_where_there_are_labels() -> None:
    champion = {"label": objects(b"a", b"b"), "p": np.array([0.5, 0.9])}
    assert share_of_disagreement(champion, {**champion, "p": np.array([0.1, 0.2])}, 0.1) == 0
    assert share_of_disagreement(champion, {**champion, "label": objects(b"a", b"c")}, 0.1) == 0.5


def test_the_largest_of_several_numbers_decides() -> None:
    champion = {"p": np.array([[0.1, 0.9], [0.6, 0.4]])}
    assert share_of_disagreement(champion, {"p": np.array([[0.4, 0.6], [0.4, 0.6]])}, 0.1) == 0.5


@pytest.mark.parametrize(("other", "share"), [(10.9, 0), (11.2, 1), (10.0, 0), (-10.0, 1)])
def test_single_numbers_may_lie_as_far_apart_as_tolerated(other: float, share: float) -> None:
    outputs = {"y": np.array([10.0], np.float32)}
    assert share_of_disagreement(outputs, {"y": np.array([other], np.float32)}, 0.1) == share


def test_an_output_that_is_missing_or_of_another_shape_is_another_answer() -> None:
    champion = {"y": np.zeros((3, 2))}
    assert share_of_disagreement(champion, {}, 0.1) == 1
    assert share_of_disagreement(champion, {"y": np.zeros((3, 1))}, 0.1) == 1
    assert share_of_disagreement(champion, {**champion, "new": np.ones(3)}, 0.1) == 0
    assert share_of_disagreement({"y": np.zeros((0, 2))}, {"y": np.zeros((0, 2))}, 0.1) == 0
    # Without rows, it is one answer.
    assert share_of_disagreement({"n": np.array(3)}, {"n": np.array(4)}, 0.1) == 1


def test_all_outputs_without_rows_in_common_are_one_answer() -> None:
    champion = {"total": np.ones(1), "each": np.ones(3), "n": np.array(2.0)}
    assert share_of_disagreement(champion, dict(champion), 0.1) == 0
    for name in champion:
        assert share_of_disagreement(champion, {**champion, name: 5 * champion[name]}, 0.1) == 1


@pytest.mark.parametrize("number", [np.ones(2), np.ones(2, np.int64), np.ones(2, bool)])
def test_text_is_another_answer_than_a_number(number: np.ndarray) -> None:
    assert share_of_disagreement({"y": number}, {"y": objects(b"1", b"1")}, 0.1) == 1
    assert share_of_disagreement({"y": objects(b"1", b"1")}, {"y": number}, 0.1) == 1


def test_nan_and_infinity_are_no_answers() -> None:
    assert is_finite({"label": objects(b"a"), "n": np.array([1])})
    assert not is_finite({"y": np.array([1.0, np.nan])})
    assert not is_finite({"y": np.array([np.inf])})
