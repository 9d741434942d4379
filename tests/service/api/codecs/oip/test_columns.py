"""Columns of one value a row: ``[N]`` to some, ``[N, 1]`` to others."""

import struct
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from service.api.codecs.oip.infer_request import read_request
from service.errors import InvalidRequestError
from service.repository.contract import Field, Shape, Signature
from tests.service.api.error_bodies import assert_invalid
from tests.service.api.oip import SHIFT, TEXT, X, with_bytes


def answers(client: FlaskClient, *inputs: Any, **more: Any) -> Any:
    response = client.post("/v2/models/affine/infer", json={"inputs": list(inputs), **more})
    assert response.status_code == 200, response.json
    return {output["name"]: output["data"] for output in response.json["outputs"]}


TWO = X | {"shape": [2, 2], "data": [1, 2, 3, 4]}
WANTED = {"y": [5.0, 11.0], "loud": ["QUIET", "LOUD"]}


@pytest.mark.parametrize("words", [["quiet", "loud"], [["quiet"], ["loud"]]])
@pytest.mark.parametrize("shift", [[0, 0], [[0], [0]], [0.0, None], [[None], [0]]])
def test_columns_may_have_a_dimension_of_one_more(v2: FlaskClient, words: Any, shift: Any) -> None:
    column = {"shape": [2, 1]}
    found = answers(v2, TWO, TEXT | column | {"data": words}, SHIFT | column | {"data": shift})
    assert found["loud"] == ["QUIET", "LOUD"]
    assert len(found["y"]) == 2
    assert found == answers(
        v2,
        TWO,
        TEXT | {"shape": [2], "data": ["quiet", "loud"]},
        SHIFT | {"shape": [2], "data": np.array(shift).reshape(-1).tolist()},
    )


def test_what_is_wrong_in_such_a_column_is_named_where_it_was_sent(v2: FlaskClient) -> None:
    def told(item: Any) -> Any:
        return v2.post("/v2/models/affine/infer", json={"inputs": [TWO, item]})

    wrong = "Expected one of 'quiet', 'loud', not 'x'."
    column = TEXT | {"shape": [2, 1]}
    assert_invalid(told(column | {"data": ["quiet", "x"]}), {"inputs[1].data[1]": wrong})
    assert_invalid(told(column | {"data": [["quiet"], ["x"]]}), {"inputs[1].data[1][0]": wrong})
    assert_invalid(
        told(column | {"data": ["quiet"]}),
        {"inputs[1].data": "Expected 2 values, as the shape says, not 1."},
    )
    for shape in ([2, 2], [2, 1, 1], [1, 2], [0, 1], []):
        expected = f"Expected [N], N at least 1, not {shape}."
        assert_invalid(told(TEXT | {"shape": shape}), {"inputs[1].shape": expected})
    assert_invalid(
        told(TEXT | {"shape": [3, 1], "data": ["quiet"] * 3}),
        {"inputs[1].shape": "Expected 2 rows, as many as 'x' has, not 3."},
    )


def taken(field_shape: Shape, item: Any, tail: bytes = b"") -> Any:
    field = Field(name="a", dtype="float32", shape=field_shape)
    contract = {"serving_default": Signature("serving_default", (field,), (field,))}
    item = {"name": "a", "datatype": "FP32", **item}
    return read_request({"inputs": [item]}, tail, contract, None, limit=5).inputs["a"].tolist()


@pytest.mark.parametrize(
    ("field_shape", "shape", "value"),
    [
        ((None,), [2, 1], [1.0, 2.0]),
        ((None, 1), [2], [[1.0], [2.0]]),
        ((2,), [2, 1], [1.0, 2.0]),
        ((2, 1), [2], [[1.0], [2.0]]),
        ((), [1], 1.0),
        ((1,), [], [1.0]),
        ((None, 1), [2, 1], [[1.0], [2.0]]),
    ],
)
def test_shapes_that_say_the_same(field_shape: Shape, shape: list[int], value: Any) -> None:
    data = [1, 2][: 2 if 2 in shape else 1]
    assert taken(field_shape, {"shape": shape, "data": data}) == value
    raw = struct.pack(f"<{len(data)}f", *data)
    sent = with_bytes({"shape": shape}, len(raw))
    assert taken(field_shape, sent, raw) == value


@pytest.mark.parametrize(
    ("field_shape", "shape"),
    [
        ((None, 2), [2]),
        ((None,), [1, 2]),
        ((None, 28, 28), [1, 28, 28, 1]),
        ((None, None), [2]),
        ((), [1, 1]),
        ((), [2]),
        ((None, 1), [2, 1, 1]),
        ((None,), [0, 1]),
        ((3,), [2, 1]),
    ],
)
def test_shapes_that_do_not(field_shape: Shape, shape: list[int]) -> None:
    with pytest.raises(InvalidRequestError, match=r"inputs\[0\]\.shape: Expected \["):
        taken(field_shape, {"shape": shape, "data": [1, 2]})
