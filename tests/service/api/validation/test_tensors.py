import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.validation.error_messages import shorten
from service.api.validation.problems import InvalidValueError
from service.api.validation.tensors import to_tensor
from service.repository.contract import Field

NUMBER = Field(name="x", dtype="float32", shape=(None,))
WHOLE = Field(name="n", dtype="int8", shape=(None,))
TEXT = Field(name="t", dtype="string", shape=(None,), max_length=5)
FLAG = Field(name="b", dtype="bool", shape=(None,))
GRID = Field(name="g", dtype="float32", shape=(None, 2, 3), minimum=0, maximum=255)
ANY = Field(name="a", dtype="float64", shape=None)
FREE = Field(name="f", dtype="float32", shape=(None, None))
NULLABLE = replace(NUMBER, nullable=True, minimum=0)
SCALAR = Field(name="s", dtype="int64", shape=())


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (NUMBER, [1, 2.5], np.array([1, 2.5], np.float32)),
        (FREE, [[], []], np.zeros((2, 0), np.float32)),
        (ANY, [[], []], np.zeros((2, 0), np.float32)),
        (replace(FREE, shape=(None, None, 3)), [[], []], np.zeros((2, 0, 3), np.float32)),
        (replace(FREE, shape=(None, 2, None)), [[[], []]], np.zeros((1, 2, 0), np.float32)),
        (NUMBER, [2**70], np.array([2**70], np.float32)),
        (WHOLE, [-128, 127], np.array([-128, 127], np.int8)),
        (replace(WHOLE, dtype="uint64"), [2**64 - 1], np.array([2**64 - 1], np.uint64)),
        (replace(WHOLE, dtype="int64"), [-(2**63)], np.array([-(2**63)], np.int64)),
        (FLAG, [True, False], np.array([True, False])),
        (GRID, [[[1, 2, 3], [4, 5, 6]]], np.array([[[1, 2, 3], [4, 5, 6]]], np.float32)),
        (ANY, 3, np.array(3.0)),
        (ANY, [[1], [2]], np.array([[1.0], [2.0]])),
        (FREE, [[1, 2], [3, 4]], np.array([[1, 2], [3, 4]], np.float32)),
        (SCALAR, 7, np.array(7)),
        (NULLABLE, [1, None], np.array([1, np.nan], np.float32)),
        (replace(NUMBER, choices=(1, 2)), [2, 1], np.array([2, 1], np.float32)),
    ],
)
def test_values_become_tensors(field: Field, value: Any, expected: Any) -> None:
    tensor = to_tensor(field, value, limit=5)
    np.testing.assert_array_equal(tensor, expected)
    assert tensor.dtype == field.numpy_type
    assert tensor.shape == expected.shape


def test_strings_become_bytes() -> None:
    tensor = to_tensor(TEXT, ["é", {"b64": "AP8="}, ""], limit=5)
    assert tensor.tolist() == ["é".encode(), b"\x00\xff", b""]


@pytest.mark.parametrize(
    ("field", "value", "problems"),
    [
        (NUMBER, 1.5, {(): "Expected a list, not 1.5."}),
        (NUMBER, [], {(): "Expected a list of at least 1 value, not a list of 0 values."}),
        (NUMBER, ["1.5"], {(0,): "Expected a number within float32, not '1.5'."}),
        (NUMBER, [True], {(0,): "Expected a number within float32, not true."}),
        (NUMBER, [None], {(0,): "Expected a number within float32, not null."}),
        (NUMBER, [1, [2]], {(1,): "Expected a number within float32, not a list of 1 value."}),
        (NUMBER, [{}], {(0,): "Expected a number within float32, not an object."}),
        (NUMBER, [1e39], {(0,): "Expected a number within float32, not 1e+39."}),
        (
            WHOLE,
            [3.7, 3.0],
            dict.fromkeys([(0,), (1,)], "Expected a whole number from -128 to 127, not "),
        ),
        (WHOLE, [128], {(0,): "Expected a whole number from -128 to 127, not 128."}),
        (WHOLE, [10**30], {(0,): f"Expected a whole number from -128 to 127, not {10**30}."}),
        (FLAG, [1], {(0,): "Expected true or false, not 1."}),
        (TEXT, [1], {(0,): "Expected a string of at most 5 bytes, not 1."}),
        (TEXT, ["ééé"], {(0,): "Expected a string of at most 5 bytes, not 6 bytes: 'ééé'."}),
        (TEXT, [{"b64": "!"}], {(0,): "Expected a string of at most 5 bytes or {"}),
        (TEXT, [{"b64": "AA==", "x": 1}], {(0,): "Expected a string of at most 5 bytes or {"}),
        (replace(TEXT, choices=("a",)), ["b"], {(0,): "Expected one of 'a', not 'b'."}),
        (replace(NUMBER, choices=(1, 2)), [3], {(0,): "Expected one of 1, 2, not 3."}),
        (
            GRID,
            [[[1, 2, 3], [4, 5, 256]], [[-1, 0, 0], [0, 0, 0]]],
            {
                (0, 1, 2): "Expected a number from 0 to 255, not 256.",
                (1, 0, 0): "Expected a number from 0 to 255, not -1.",
            },
        ),
        (
            GRID,
            [[[1, 2, 3, 4, 5, 6]]],
            {(0,): "Expected a list of 2 values, not a list of 1 value."},
        ),
        (
            GRID,
            [[[1, 2, 3], [4, 5]]],
            {(0, 1): "Expected a list of 3 values, not a list of 2 values."},
        ),
        (GRID, [[[1, 2, 3], 4]], {(0, 1): "Expected a list of 3 values, not 4."}),
        (
            FREE,
            [[1, 2], [3]],
            {
                (
                    1,
                ): "Expected a list of 2 values, as many as its neighbours have, not a list of 1 value."
            },
        ),
        (FREE, [], {(): "Expected a list of at least 1 value, not a list of 0 values."}),
        (
            FREE,
            [[], [3]],
            {
                (
                    1,
                ): "Expected a list of 0 values, as many as its neighbours have, not a list of 1 value."
            },
        ),
        (ANY, [1, [2]], {(1,): "Expected a number, not a list of 1 value."}),
        (ANY, [[1], 2], {(1,): "Expected a list, not 2."}),
        (NULLABLE, [-1, None], {(0,): "Expected a number of at least 0 or null, not -1."}),
        (SCALAR, [7], {(): "Expected a whole number from "}),
    ],
)
def test_what_is_no_such_tensor_is_named(
    field: Field, value: Any, problems: dict[tuple[int, ...], str]
) -> None:
    with pytest.raises(InvalidValueError) as caught:
        to_tensor(field, value, limit=5)
    assert caught.value.problems.keys() == problems.keys()
    for index, message in problems.items():
        assert caught.value.problems[index].startswith(message)


def test_no_more_problems_than_the_limit() -> None:
    with pytest.raises(InvalidValueError) as caught:
        to_tensor(NUMBER, ["x"] * 100, limit=3)
    assert len(caught.value.problems) == 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("field", [NUMBER, WHOLE, TEXT, FLAG, GRID, ANY, FREE, NULLABLE, SCALAR])
@given(value=json_values)
def test_any_json_is_a_tensor_or_a_clear_error(field: Field, value: Any) -> None:
    try:
        tensor = to_tensor(field, value, limit=4)
    except InvalidValueError as error:
        assert 1 <= len(error.problems) <= 4
        for index, message in error.problems.items():
            inner = value
            for i in index:
                inner = inner[i]
            assert message.startswith("Expected ")
            assert message.endswith(f"{shorten(inner)}.")
    else:
        assert 0 not in tensor.shape[:1]
        assert tensor.dtype == field.numpy_type
        if field.shape is not None:
            assert len(tensor.shape) == len(field.shape)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_float32_is_exact(values: list[float]) -> None:
    assert to_tensor(NUMBER, values, limit=1).tolist() == values


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_int64_is_exact(values: list[int]) -> None:
    assert to_tensor(replace(WHOLE, dtype="int64"), values, limit=1).tolist() == values


def test_null_is_nan_and_never_out_of_range() -> None:
    assert math.isnan(to_tensor(NULLABLE, [None], limit=1)[0])
