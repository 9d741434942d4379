"""``TensorProto`` to arrays that a field takes, and back."""

import math
from typing import Any

import numpy as np

from service.api.codecs.oip.datatypes import bfloat16_to_float32, wire_type
from service.api.codecs.oip.input_data import check_size, tensor_from_bytes
from service.api.codecs.oip.named_inputs import shape_meant
from service.api.validation.arrays import check_array, check_shape
from service.api.validation.error_messages import (
    count_with_noun,
    describe_expected_value,
    describe_received,
)
from service.api.validation.problems import InvalidValueError
from service.api.validation.tensors import Array
from service.grpc.messages import POOL
from service.grpc.packed_fields import numbers_of, packed_field
from service.repository.contract import Field

# By the contract's dtypes: TensorFlow's name, and the field that holds such values.
_KINDS = {
    "bool": ("DT_BOOL", "bool_val"),
    "uint8": ("DT_UINT8", "int_val"),
    "uint16": ("DT_UINT16", "int_val"),
    "uint32": ("DT_UINT32", "uint32_val"),
    "uint64": ("DT_UINT64", "uint64_val"),
    "int8": ("DT_INT8", "int_val"),
    "int16": ("DT_INT16", "int_val"),
    "int32": ("DT_INT32", "int_val"),
    "int64": ("DT_INT64", "int64_val"),
    "bfloat16": ("DT_BFLOAT16", "half_val"),
    "float16": ("DT_HALF", "half_val"),
    "float32": ("DT_FLOAT", "float_val"),
    "float64": ("DT_DOUBLE", "double_val"),
    "string": ("DT_STRING", "string_val"),
}
_TYPES = POOL.FindEnumTypeByName("tensorflow.DataType")
_FIELDS = POOL.FindMessageTypeByName("tensorflow.TensorProto").fields_by_name
# What ``numbers_of`` reads from each.
_WIRE = {
    "bool_val": np.bool_,
    "int_val": np.int32,
    "half_val": np.int32,
    "uint32_val": np.uint32,
    "uint64_val": np.uint64,
    "int64_val": np.int64,
    "float_val": np.float32,
    "double_val": np.float64,
}


def read_tensor(field: Field, tensor: Any, *, limit: int, most_bytes: int) -> Array:
    """Return a ``TensorProto`` as an array.

    As TensorFlow does, the last of fewer values than the shape has is repeated.

    Args:
        field: what it is for.
        tensor: the message.
        limit: the most problems to report.
        most_bytes: the most bytes that repeated values may come to.

    Raises:
        InvalidValueError: it is not what the field takes; indices are those of the tensor.
    """
    name = _KINDS[field.dtype][0]
    if tensor.dtype != _TYPES.values_by_name[name].number:
        found = _TYPES.values_by_number.get(tensor.dtype)
        raise InvalidValueError(
            f"Expected dtype {name}, not {found.name if found else tensor.dtype}."
        )
    shape = [dimension.size for dimension in tensor.tensor_shape.dim]
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise InvalidValueError("Expected a shape without unknown sizes.")
    meant = shape_meant(field, shape)
    check_shape(field, meant, shape)
    try:
        if tensor.tensor_content and field.dtype != "string":
            check_size(field, tensor.tensor_content, shape)
            flat = tensor_from_bytes(field, tensor.tensor_content, shape, limit)
        else:
            flat = _typed_values(field, tensor, math.prod(shape), most_bytes, limit)
            check_array(field, flat, limit=limit)
    except InvalidValueError as error:
        raise _by_place(error, shape) from error
    return flat.reshape(meant)


def _typed_values(field: Field, tensor: Any, count: int, most_bytes: int, limit: int) -> Array:
    """Return the values of the field of the message that holds them, flat."""
    held = getattr(tensor, _KINDS[field.dtype][1])
    given = len(held)
    if given > count or (not given and count):
        raise InvalidValueError(
            f"Expected {count_with_noun(count)}, as the shape says, not {given}."
        )
    size = 8 if field.dtype == "string" else wire_type(field).itemsize
    if given < count and count * size > most_bytes:
        raise InvalidValueError(
            f"Expected {count_with_noun(count)}, as the shape says, not {given}; a last value is "
            f"repeated up to {most_bytes} bytes."
        )
    if field.dtype == "string":
        values = np.empty(count, dtype=np.object_)
        values[:given] = list(held)
    else:
        sent = numbers_of(held, _WIRE[_KINDS[field.dtype][1]])
        values = np.empty(count, dtype=field.numpy_type)
        values[:given] = _as_numbers(field, sent, limit)
    if given < count:
        values[given:] = values[given - 1]
    return values


def _as_numbers(field: Field, sent: Array, limit: int) -> Array:
    """Return numbers as they came in the field's dtype.

    Raises:
        InvalidValueError: some do not fit.
    """
    if field.dtype in ("float16", "bfloat16"):
        halves = check_range(field, sent, limit, 0, 2**16 - 1).astype(np.uint16)
        return bfloat16_to_float32(halves) if field.dtype == "bfloat16" else halves.view(np.float16)
    if sent.dtype.kind in "iu" and sent.dtype != field.numpy_type:
        bounds = np.iinfo(field.numpy_type)
        return check_range(field, sent, limit, int(bounds.min), int(bounds.max))
    return sent


def check_range(field: Field, numbers: Array, limit: int, least: int, most: int) -> Array:
    """Return whole numbers of a wider type, if all are within bounds.

    Raises:
        InvalidValueError: some are not; it names up to ``limit`` places.
    """
    wrong = (numbers < least) | (numbers > most)
    if wrong.any():
        expected = describe_expected_value(field)
        raise InvalidValueError(
            {
                (
                    int(i),
                ): f"Expected {expected}, not {describe_received(field, numbers[i].item())}."
                for i in np.flatnonzero(wrong)[:limit]
            }
        )
    return numbers


def _by_place(error: InvalidValueError, shape: list[int]) -> InvalidValueError:
    """Return an error about flat values with indices into their tensor."""
    return InvalidValueError(
        {
            tuple(int(i) for i in np.unravel_index(index[0], shape))
            if index and shape
            else (): text
            for index, text in error.problems.items()
        }
    )


def write_tensor(field: Field, array: Array, tensor: Any) -> None:
    """Fill a ``TensorProto`` with an output's values, in the field that TensorFlow Serving uses.

    Args:
        field: the output.
        array: its values; strings are ``bytes``.
        tensor: the message, which is empty.
    """
    name, held = _KINDS[field.dtype]
    tensor.dtype = _TYPES.values_by_name[name].number
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    # TensorFlow distinguishes a scalar, whose shape is present and empty, from a missing shape.
    tensor.tensor_shape.SetInParent()
    if field.dtype == "string":
        tensor.string_val.extend(array.reshape(-1).tolist())
        return
    values = array
    if field.dtype == "bfloat16":
        values = np.ascontiguousarray(array).view(np.uint32) >> np.uint32(16)
    elif field.dtype == "float16":
        values = np.ascontiguousarray(array).view(np.uint16)
    tensor.MergeFromString(packed_field(_FIELDS[held].number, values))
