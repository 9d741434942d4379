"""The live version's golden examples, asked of the next one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.repository.contract import Field, Signature
from service.repository.golden_examples import Golden, GoldenExample
from training.publishing.golden_regression import carried_over, lost_answers
from training.publishing.live_version import LiveVersion
from training.tasks.task_interface import Case

SIGNATURE = Signature(
    "s",
    (Field(name="x", dtype="float32", shape=(None,)),),
    (Field(name="label", dtype="string", shape=(None,)), Field(name="y", dtype="float32", shape=(None,))),
)  # fmt: skip
CONTRACT = {"s": SIGNATURE}


def example(x: Any, label: str, y: float, /, **truth: Any) -> GoldenExample:
    return GoldenExample("s", {"x": x}, {"label": label, "y": y}, f"number {x}", truth)


def lost(label: str, y: float, *examples: GoldenExample) -> list[str]:
    def predict(signature: str, inputs: Any) -> dict[str, Any]:
        rows = len(inputs["x"])
        return {"label": np.array([label.encode()] * rows, object), "y": np.full(rows, y)}

    return lost_answers(Golden(examples), CONTRACT, predict, {"y": 0.1})


def test_what_was_right_must_stay_right() -> None:
    right = example(1, "cat", 5.0, label="cat")
    assert lost("cat", 5.0, right) == []
    assert lost("dog", 5.0, right) == ["number 1: label is 'dog', and was rightly 'cat'."]


def test_what_was_wrong_or_is_not_known_may_change() -> None:
    assert lost("dog", 5.0, example(1, "cat", 5.0, label="dog")) == []
    assert lost("bird", 5.0, example(1, "cat", 5.0, label="dog")) == []
    assert lost("dog", 5.0, example(1, "cat", 5.0)) == []


def test_steady_numbers_must_not_jump_but_towards_the_truth() -> None:
    assert lost("cat", 5.4, example(1, "cat", 5.0)) == []
    assert lost("cat", 5.6, example(1, "cat", 5.0)) == [
        "number 1: y is 5.6 and was 5, more than 10% away."
    ]
    assert lost("cat", 7.0, example(1, "cat", 5.0, y=8.0)) == []
    assert lost("cat", 3.0, example(1, "cat", 5.0, y=8.0)) == [
        "number 1: y is 3 and was 5, more than 10% away, and no nearer to the truth, 8."
    ]
    assert len(lost("cat", float("nan"), example(1, "cat", 5.0))) == 1


def test_a_steady_number_may_go_as_far_as_the_live_version_was_unsure() -> None:
    """Of few data of one's own an answer may be far from sure, and is soon another."""
    unsure = replace(
        example(1, "cat", 5.0, y=4.5),
        prediction={"label": "cat", "y": 5.0, "y_low": 2.0, "y_high": 8.0},
    )
    assert lost("cat", 7.9, unsure) == []
    assert lost("cat", 8.1, unsure) == [
        "number 1: y is 8.1 and was 5, more than 10% away, and outside its interval 2 to 8, "
        "and no nearer to the truth, 4.5."
    ]


@pytest.mark.parametrize(
    "asked", [example("one", "cat", 5.0), GoldenExample("gone", {"x": 1}, {}, "")]
)
def test_what_cannot_be_asked_any_more_is_lost(asked: GoldenExample) -> None:
    (problem,) = lost("cat", 5.0, asked)
    assert problem.startswith("They cannot be answered: ")


def test_examples_are_carried_over_once(tmp_path: Path) -> None:
    examples = [example(x, "cat", 5.0, label="cat") for x in range(100)]
    examples[3] = example("three", "cat", 5.0)  # is not taken any more
    own = [Case(instance={"x": 0}, note="asked again", signature="s")]
    cases = carried_over(own, LiveVersion(4, tmp_path, None, Golden(examples)), CONTRACT)
    assert [case.instance["x"] for case in cases] == [1, 2, *range(4, 65)]
    assert len(own) + len(cases) == 64
    assert cases[0] == Case(
        instance={"x": 1},
        note="number 1; carried over from version 4",
        signature="s",
        truth={"label": "cat"},
    )
    again = Golden([GoldenExample("s", cases[0].instance, {}, cases[0].note)])
    (twice,) = carried_over(own, LiveVersion(5, tmp_path, None, again), CONTRACT)
    assert twice.note == cases[0].note
    assert carried_over(own, LiveVersion(5, tmp_path, None, None), CONTRACT) == []
