"""Which rows make a version's reference, and which do not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.repository.contract import Field, Signature
from training import tasks
from training.array_types import Array, Tensors
from training.data.dataset_types import Images, Texts
from training.publishing.version_reference import answered_reference
from training.tasks.task_interface import ReferenceRows

SIGNATURE = Signature(
    "serving_default",
    (Field(name="x", dtype="float32", shape=(None,)),),
    (Field(name="y", dtype="float32", shape=(None,)),),
)


class Doubler:
    def __init__(self) -> None:
        self.rows: list[int] = []

    def __call__(self, name: str, inputs: Tensors) -> dict[str, Array]:
        self.rows.append(len(inputs["x"]))
        return {"y": inputs["x"] * 2}


def rows(count: int) -> ReferenceRows:
    return ReferenceRows(inputs={"x": np.arange(count)})


def test_rows_from_all_parts_are_answered_in_parts() -> None:
    predict = Doubler()
    reference = answered_reference(predict, {SIGNATURE.name: SIGNATURE}, rows(12_001))
    assert reference is not None
    assert reference.rows == sum(predict.rows) == 5_000
    assert max(predict.rows) == 500
    edges = reference.fields[0].edges
    assert (edges[0], edges[-1]) == (0, 12_000)


def test_few_rows_and_rows_that_depend_on_each_other_make_none() -> None:
    contract = {SIGNATURE.name: SIGNATURE}
    assert answered_reference(Doubler(), contract, rows(99)) is None
    assert answered_reference(Doubler(), contract, rows(100)) is not None
    assert answered_reference(Doubler(), contract, None) is None
    dependent = {SIGNATURE.name: replace(SIGNATURE, rows_independent=False)}
    assert answered_reference(Doubler(), dependent, rows(100)) is None


PICTURES = np.zeros((150, 28, 28), np.uint8)
LABELS = np.zeros(150, np.int64)
IMAGES = Images(
    train=PICTURES[:0],
    train_labels=LABELS[:0],
    test=PICTURES,
    test_labels=LABELS,
    labels=("a", "b"),
    fingerprint="",
)
TEXTS = Texts(
    train=[],
    train_labels=LABELS[:0],
    test=[b"a film"] * 150,
    test_labels=LABELS,
    labels=("a", "b"),
    fingerprint="",
)


@pytest.mark.parametrize(
    ("model", "data"), [("clothing", IMAGES), ("digits", IMAGES), ("sentiment", TEXTS)]
)
def test_classifiers_are_compared_on_their_test_set(model: str, data: Any) -> None:
    given = tasks.get(model).reference_rows(data)
    assert given is not None
    assert given.held_out
    assert {len(tensor) for tensor in given.inputs.values()} == {150}
