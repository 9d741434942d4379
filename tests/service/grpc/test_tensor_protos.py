"""Arrays to messages and back."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.framework import tensor_pb2

from service.api.validation.problems import InvalidValueError
from service.grpc.messages import message_class
from service.grpc.packed_fields import packed_field
from service.grpc.tensor_protos import read_tensor, write_tensor
from service.repository.contract import NUMPY_TYPES, Field

TENSOR = message_class("tensorflow.TensorProto")
X = Field(name="x", dtype="float32", shape=(None, 2), minimum=0)


def read(field: Field, message: Any) -> np.ndarray:
    return read_tensor(field, message, limit=3, most_bytes=10_000)


def from_tensorflow(array: Any, dtype: str) -> Any:
    sent = tf.make_tensor_proto(array, dtype=tf.dtypes.as_dtype(dtype))
    return TENSOR.FromString(sent.SerializeToString())


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_varints_are_protobuf_s(values: list[int]) -> None:
    message = TENSOR(int64_val=values)
    assert packed_field(10, np.array(values, np.int64)) == message.SerializeToString()


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_unsigned_varints_are_protobuf_s(values: list[int]) -> None:
    message = TENSOR(uint64_val=values)
    assert packed_field(17, np.array(values, np.uint64)) == message.SerializeToString()


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("dtype", NUMPY_TYPES)
def test_every_dtype_both_ways(dtype: str, typed: bool) -> None:
    field = Field(name="x", dtype=dtype, shape=(None, 2))
    if dtype == "string":
        array = np.array([[b"a", b"\0"], [b"", "ü".encode()]], dtype=object)
    elif dtype == "bool":
        array = np.array([[True, False], [False, True]])
    else:
        low = 0 if dtype.startswith("u") else -2
        array = np.array([[1, low], [3, 100]]).astype(NUMPY_TYPES[dtype])
    if typed:
        message = TENSOR()
        write_tensor(field, array, message)
        theirs = tf.make_ndarray(tensor_pb2.TensorProto.FromString(message.SerializeToString()))
        assert (theirs.astype(array.dtype) == array).all()
    else:
        message = from_tensorflow(array, dtype)
    got = read(field, message)
    assert got.dtype == array.dtype
    assert (got == array).all()


def test_a_scalar_has_a_shape() -> None:
    message = TENSOR()
    write_tensor(Field(name="y", dtype="float32", shape=()), np.float32(2.5).reshape(()), message)
    assert message.HasField("tensor_shape")
    assert message.float_val == [2.5]


def test_the_last_value_is_repeated() -> None:
    message = from_tensorflow(np.full((3, 2), 7, np.float32), "float32")
    message.ClearField("tensor_content")
    message.float_val.extend([1, 7])
    assert read(X, message).tolist() == [[1, 7], [7, 7], [7, 7]]


def tensor(**fields: Any) -> Any:
    shape = fields.pop("shape", [2, 2])
    message = TENSOR(dtype=fields.pop("dtype", 1), **fields)
    for size in shape:
        message.tensor_shape.dim.add(size=size)
    return message


@pytest.mark.parametrize(
    ("message", "places"),
    [
        (tensor(dtype=2), {(): "Expected dtype DT_FLOAT, not DT_DOUBLE."}),
        (tensor(dtype=999), {(): "Expected dtype DT_FLOAT, not 999."}),
        (tensor(shape=[-1, 2]), {(): "Expected a shape without unknown sizes."}),
        (tensor(shape=[2, 3]), {(): "Expected [N, 2], N at least 1, not [2, 3]."}),
        (tensor(), {(): "Expected 4 values, as the shape says, not 0."}),
        (tensor(float_val=range(5)), {(): "Expected 4 values, as the shape says, not 5."}),
        (
            tensor(tensor_content=bytes(15)),
            {(): "Expected 16 bytes, for FP32 of shape [2, 2], not 15."},
        ),
        (
            tensor(float_val=[1], shape=[2**31, 2]),
            {
                (): "Expected 4294967296 values, as the shape says, not 1; a last value is "
                "repeated up to 10000 bytes."
            },
        ),
        (
            tensor(float_val=[1, -2, 3, float("nan")]),
            {
                (0, 1): "Expected a number of at least 0, not -2.0.",
                (1, 1): "Expected a number of at least 0, not nan.",
            },
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(message: Any, places: dict[Any, str]) -> None:
    with pytest.raises(InvalidValueError) as caught:
        read(X, message)
    assert caught.value.problems == places


def test_a_number_beyond_the_dtype_is_refused() -> None:
    with pytest.raises(InvalidValueError) as caught:
        read(
            Field(name="x", dtype="int8", shape=(None,)),
            tensor(dtype=6, int_val=[1, 300], shape=[2]),
        )
    assert caught.value.problems == {(1,): "Expected a whole number from -128 to 127, not 300."}
