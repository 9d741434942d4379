import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.repository.contract import (
    Field,
    Signature,
    disagreements,
    refuse_alike,
)
from service.repository.contract_json import contract_from_json, contract_to_json
from service.repository.errors import RepositoryError

X = Field(name="x", dtype="float32", shape=(None, 2))
Y = Field(name="y", dtype="int64", shape=(None,))
SIGNATURE = Signature("serving_default", (X,), (Y,))
CONTRACT = {"serving_default": SIGNATURE}


def test_json_and_back() -> None:
    full = replace(
        X,
        description="d",
        unit="m",
        minimum=0,
        maximum=2.5,
        choices=(1, 2),
        nullable=True,
        example=[1, 2],
    )
    text = Field(name="t", dtype="string", shape=None, choices=("a",), max_length=3, example="a")
    file = Field(name="f", dtype="string", shape=(None,), content_types=("image/png", "image/gif"))
    contract = {"a": Signature("a", (full, text, file), (Y,))}
    assert contract_from_json(contract_to_json(contract)) == contract


def field(**changes: Any) -> dict[str, Any]:
    value = {"name": "x", "dtype": "float32", "shape": [None, 2]} | changes
    return {"s": {"inputs": [value], "outputs": []}}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "contract: expected an object"),
        ({}, "contract: expected an object"),
        ({"s": []}, "contract.s: expected an object with inputs and outputs"),
        ({"s": {"inputs": []}}, "contract.s: expected an object with inputs and outputs"),
        ({"s": {"inputs": {}, "outputs": []}}, "contract.s.inputs: expected a list"),
        ({"s": {"inputs": [], "outputs": [1]}}, r"contract.s.outputs\[0\]: expected an object"),
        (field(dtype="complex64"), "dtype must be one of float16"),
        (field(shape="2"), r"inputs\[0\].shape: '2' is not a list"),
        (field(shape=[-1, 2]), r"shape: \[-1, 2\] is not a shape"),
        (field(shape=[True]), r"shape: \[True\] is not a shape"),
        (field(minimum="0"), "minimum: '0' is not a whole number or a number"),
        (field(maximum=True), "maximum: True is not"),
        (field(nullable=1), "nullable: 1 is not"),
        (field(colour="red"), "unknown key 'colour'"),
        (field(dtype="int32", nullable=True), "only a float can be nullable"),
        (field(minimum=10**400), "is not a whole number or a number"),
        (field(choices=[[1]]), "choices must all be of the field's dtype"),
        (field(dtype="string", choices=[1]), "choices must all be of the field's dtype"),
        (field(dtype="string", minimum=0), "a string has no minimum"),
        (field(max_length=3), "a float32 has no max_length"),
        (field(content_types=["image/png"]), "a float32 has no content_types"),
        (
            field(dtype="string", content_types="image/png"),
            "content_types: 'image/png' is not a list",
        ),
        (field(dtype="string", content_types=["png"]), "'png' is not a content type"),
        (field(dtype="string", content_types=["image/PNG"]), "'image/PNG' is not a content type"),
        (field(dtype="string", content_types=[1]), "1 is not a content type"),
    ],
)
def test_what_is_no_contract_is_named(value: Any, reason: str) -> None:
    with pytest.raises(RepositoryError, match=reason):
        contract_from_json(value)


def test_a_card_may_be_more_exact_than_the_graph() -> None:
    loose = Signature(
        "serving_default", (replace(X, shape=(None, None)),), (replace(Y, shape=None),)
    )
    assert disagreements(CONTRACT, {"serving_default": loose}) == []
    assert disagreements(CONTRACT, CONTRACT) == []


@pytest.mark.parametrize(
    ("actual", "reason"),
    [
        ({}, "a signature 'serving_default' that the SavedModel lacks"),
        ({"serving_default": replace(SIGNATURE, inputs=(replace(X, name="z"),))}, "inputs are x, "),
        ({"serving_default": replace(SIGNATURE, outputs=())}, "outputs are y, .* are none"),
        (
            {"serving_default": replace(SIGNATURE, inputs=(replace(X, dtype="float64"),))},
            r"'x' is float32 \[\?,2\], the SavedModel has float64 \[\?,2\]",
        ),
        (
            {"serving_default": replace(SIGNATURE, inputs=(replace(X, shape=(None, 3)),))},
            r"the SavedModel has float32 \[\?,3\]",
        ),
        (
            {"serving_default": replace(SIGNATURE, inputs=(replace(X, shape=(None, 2, 1)),))},
            r"the SavedModel has float32 \[\?,2,1\]",
        ),
    ],
)
def test_a_card_that_promises_what_the_graph_lacks(actual: Any, reason: str) -> None:
    (problem,) = disagreements(CONTRACT, actual)
    assert re.search(reason, problem)


def test_batched_needs_a_free_first_dimension_everywhere() -> None:
    assert SIGNATURE.batched
    assert not replace(SIGNATURE, outputs=(replace(Y, shape=()),)).batched
    assert not replace(SIGNATURE, inputs=(replace(X, shape=(1, 2)),)).batched
    assert not replace(SIGNATURE, inputs=()).batched


def test_the_inputs_that_are_files() -> None:
    file = Field(name="f", dtype="string", shape=(None,), content_types=("image/png",))
    text = replace(file, name="t", content_types=())
    assert Signature("s", (text, file, X), (Y,)).files == (file,)
    assert replace(SIGNATURE, inputs=(file,)).files == (file,)
    assert SIGNATURE.files == ()


@pytest.mark.parametrize("declared", [True, False, None])
def test_whether_rows_are_independent_is_kept(declared: bool | None) -> None:
    contract = {"s": replace(SIGNATURE, name="s", rows_independent=declared)}
    value = contract_to_json(contract)
    assert ("rows_independent" in value["s"]) is (declared is not None)
    assert contract_from_json(value) == contract


def test_a_declaration_of_rows_is_true_or_false() -> None:
    value = {"s": {"inputs": [], "outputs": [], "rows_independent": "yes"}}
    with pytest.raises(RepositoryError, match=r"contract\.s\.rows_independent: 'yes' is not"):
        contract_from_json(value)


@pytest.mark.parametrize(
    ("changes", "alike"),
    [
        ({}, True),
        ({"description": "d", "example": [1, 2]}, True),
        ({"maximum": 2.0}, False),
        ({"choices": (1, 2)}, False),
        ({"nullable": True}, False),
        ({"shape": (None, 3)}, False),
        ({"default": np.zeros((1, 2), np.float32)}, False),
    ],
)
def test_which_contracts_refuse_alike(changes: dict[str, Any], alike: bool) -> None:
    other = replace(SIGNATURE, inputs=(replace(X, **changes),))
    assert refuse_alike(CONTRACT, {"serving_default": other}) is alike
    assert not refuse_alike(CONTRACT, {**CONTRACT, "other": SIGNATURE})
