"""One input's data, in JSON or in bytes, to a tensor."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from service.api.codecs.oip.datatypes import (
    bfloat16_to_float32,
    datatype,
    unpack_elements,
    wire_type,
)
from service.api.json.json_numbers import NumberArray
from service.api.validation.arrays import check_array, shorten_shape
from service.api.validation.error_messages import count_with_noun, shorten
from service.api.validation.problems import InvalidValueError
from service.api.validation.tensors import Array, to_tensor
from service.repository.contract import Field


def tensor_from_json(field: Field, data: Any, shape: Sequence[int], limit: int) -> Array:
    """Return JSON data, flat or nested as the shape says, as a tensor.

    Raises:
        InvalidValueError: it is not a list, or has another shape; or values are not what the field
            takes, of which it names up to ``limit``.
    """
    if type(data) is not list and type(data) is not NumberArray:
        raise InvalidValueError(f"Expected a list of values, not {shorten(data)}.")
    if is_nested(data):
        tensor = to_tensor(field, data, limit=limit)
        if 0 in shape and _up_to_empty(tensor.shape) == _up_to_empty(shape):
            # What lies within empty lists cannot be seen.
            return tensor.reshape(shape)
        if tensor.shape != tuple(shape):
            raise InvalidValueError(
                f"Expected lists of shape {shorten_shape(shape)}, as 'shape' says, "
                f"not {shorten_shape(tensor.shape)}."
            )
        return tensor
    count, size = math.prod(shape), len(data.array if isinstance(data, NumberArray) else data)
    if size != count:
        raise InvalidValueError(
            f"Expected {count_with_noun(count)}, as the shape says, not {size}."
        )
    if count == 0:
        return np.empty(shape, dtype=field.numpy_type)
    flat = field if field.shape == (None,) else replace(field, shape=(None,))
    return to_tensor(flat, data, limit=limit).reshape(shape)


def _up_to_empty(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(shape[: shape.index(0) + 1]) if 0 in shape else ()


def is_nested(data: Any) -> bool:
    """Whether JSON data are lists in a list, and not a flat list of values."""
    if type(data) is NumberArray:
        return data.array.ndim > 1
    return type(data) is list and bool(data) and type(data[0]) in (list, NumberArray)


def check_size(field: Field, data: bytes, shape: Sequence[int]) -> None:
    """Check that binary data have the size of numbers of a shape; strings may have any.

    Raises:
        InvalidValueError: they do not.
    """
    if field.dtype != "string":
        expected = math.prod(shape) * wire_type(field).itemsize
        if len(data) != expected:
            raise InvalidValueError(
                f"Expected {count_with_noun(expected, 'byte')}, for {datatype(field)} of shape "
                f"{shorten_shape(shape)}, not {len(data)}."
            )


def tensor_from_bytes(field: Field, data: bytes, shape: Sequence[int], limit: int) -> Array:
    """Return binary data, of the size that ``check_size`` has checked, as a tensor.

    Raises:
        InvalidValueError: values are not what the field takes; it names up to ``limit`` places.
    """
    is_string = field.dtype == "string"
    flat = _strings(data, math.prod(shape)) if is_string else numbers_from_bytes(field, data, limit)
    check_array(field, flat, limit=limit)
    return flat.reshape(shape)


def _strings(data: bytes, count: int) -> Array:
    # First, because the count is the client's and may be of any size.
    elements = unpack_elements(data, count)
    flat = np.empty(count, dtype=np.object_)
    flat[:] = elements
    return flat


def numbers_from_bytes(field: Field, data: bytes, limit: int) -> Array:
    """Return numbers, or booleans, as they travel as a flat array of the field's dtype.

    Raises:
        InvalidValueError: a boolean is neither 0 nor 1; it names up to ``limit`` places.
    """
    if field.dtype == "bool":
        codes = np.frombuffer(data, np.uint8)
        if codes.size and codes.max() > 1:
            raise InvalidValueError(
                {
                    (int(i),): f"Expected a byte of 0 or 1, not {codes[i]}."
                    for i in np.flatnonzero(codes > 1)[:limit]
                }
            )
        return codes.view(np.bool_)
    if field.dtype == "bfloat16":
        return bfloat16_to_float32(np.frombuffer(data, wire_type(field)))
    # In the byte order and alignment that TensorFlow takes without a copy.
    return np.require(np.frombuffer(data, wire_type(field)), field.numpy_type, "A")
