"""JSON values to tensors, checked in bulk against a field of the contract.

Each check is one pass over all values in C; only if it fails are the offending places
searched. Values are checked before they are cast, so nothing is rounded, wrapped around or
turned from a boolean into a number on the way.

Numbers may come in numpy's arrays already (service/api/json/json_numbers.py). They are held to
the same rules, but where they break one they become lists, for the checks that can name the places.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import eq
from typing import Any

import numpy as np
import numpy.typing as npt

from service.api.json.json_numbers import MOST_DIMENSIONS, NumberArray
from service.api.validation.error_messages import (
    count_with_noun,
    describe_expected_value,
    describe_received,
)
from service.api.validation.problems import InvalidValueError
from service.repository.contract import Field, Signature
from service.repository.json_strings import string_from_json

Array = npt.NDArray[Any]

# From here on, float64 cannot distinguish all whole numbers.
_INEXACT = 2**53
# Among so few numbers Python finds the largest faster than numpy finds infinities.
_FEW = 32
# The largest numbers of floats that Python's are turned into in one step.
_MOST_FLOAT = {dtype: float(np.finfo(dtype).max) for dtype in ("float16", "float32", "float64")}


def to_tensor(field: Field, value: Any, *, limit: int) -> Array:
    """Return ``value`` as the tensor that ``field`` describes.

    Args:
        field: what is expected.
        value: numbers, strings, booleans or ``{"b64": ...}`` objects, in nested lists; or
            ``NumberArray``, or a list of them.
        limit: the most problems to report.

    Returns:
        An array of the field's dtype and shape; strings are ``bytes`` in an object array.

    Raises:
        InvalidValueError: the value is not that; it names up to ``limit`` places.
    """
    if is_scalars(field, value):
        tensor = to_tensor(field.flat, value, limit=limit)
        return tensor.reshape(len(tensor), *(field.instance_shape or ()))
    if _holds_numbers(value):
        found = _numbers_to_tensor(field, value)
        if found is not None:
            return found
        value = (
            value.as_lists() if type(value) is NumberArray else [item.as_lists() for item in value]
        )
    return _lists_to_tensor(field, value, limit)


def clean_tensor(field: Field, value: Any) -> Array | None:
    """Return what ``to_tensor`` returns; ``None``, without explanation, where it would raise."""
    if is_scalars(field, value):
        tensor = clean_tensor(field.flat, value)
        return (
            None if tensor is None else tensor.reshape(len(tensor), *(field.instance_shape or ()))
        )
    if _holds_numbers(value):
        return _numbers_to_tensor(field, value)
    try:
        return _lists_to_tensor(field, value, limit=1)
    except InvalidValueError:
        return None


def is_scalars(field: Field, value: Any) -> bool:
    """Whether ``value`` is a list of single values where each should stand in a list of one.

    TensorFlow Serving feeds a graph with what it gets, ``[2.0, 3.0]`` for ``[[2.0], [3.0]]``; its
    own first examples rest on that.
    """
    if not field.is_single:
        return False
    if type(value) is NumberArray:
        return value.array.ndim == 1
    return type(value) is list and bool(value) and type(value[0]) not in (list, NumberArray)


def columns_are_scalars(signature: Signature, columns: Mapping[str, Any]) -> bool:
    """Whether all columns of single values came as scalars, not wrapped in lists.

    ``False`` if there are no such columns.
    """
    single = [f for f in signature.single if f.name in columns]
    return bool(single) and all(is_scalars(f, columns[f.name]) for f in single)


def clean_scalars(fields: Sequence[Field], columns: Sequence[list[Any]]) -> Array | None:
    """Return what ``to_tensor`` returns for each column, as the rows of one array, or ``None``.

    A call of numpy costs as much as some hundred numbers; this makes one for all columns.

    Args:
        fields: of one float dtype, of shape ``[None]`` and without choices.
        columns: for each a list of at least one value; all of one length.
    """
    kinds = set(map(type, chain.from_iterable(columns)))
    if not kinds <= {int, float, type(None)}:
        return None
    numpy_type = fields[0].numpy_type
    # What is beyond it becomes infinite.
    end = float(np.finfo(numpy_type).max)
    least = [[-end if f.minimum is None else max(f.minimum, -end)] for f in fields]
    most = [[end if f.maximum is None else min(f.maximum, end)] for f in fields]
    with np.errstate(over="ignore"):
        exact = np.array(columns, dtype=np.float64)
        tensors: Array = exact.astype(numpy_type, copy=False)
    outside: Array = (tensors < np.array(least, numpy_type)) | (
        tensors > np.array(most, numpy_type)
    )
    if outside.any():
        return None
    if type(None) in kinds:
        of_known = [column for f, column in zip(fields, exact, strict=True) if not f.nullable]
        if np.isnan(of_known).any():
            return None
    return tensors


def round_bfloat16(array: Array) -> Array:
    """Return float32 numbers rounded to those that bfloat16 has, ties to even; NaN stays NaN."""
    bits = array.astype(np.float32, copy=False).view(np.uint32)
    # The upper half of a float32 is a bfloat16; a carry out of it becomes infinity by itself.
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(array), np.float32(np.nan), rounded.view(np.float32))


def _holds_numbers(value: Any) -> bool:
    if type(value) is not list:
        return type(value) is NumberArray
    return bool(value) and type(value[0]) is NumberArray and set(map(type, value)) == {NumberArray}


def _numbers_to_tensor(field: Field, value: NumberArray | list[NumberArray]) -> Array | None:
    """Return numbers as the tensor that ``field`` describes, if they are that."""
    array = value.array if isinstance(value, NumberArray) else _stack(value)
    if array is None or not field.is_number or not _has_shape(field, array):
        return None
    if field.choices and not _are_choices(field, array):
        return None
    tensor: Array
    if field.is_float:
        with np.errstate(over="ignore"):
            # By way of float64, as Python's numbers go: two steps round otherwise than one.
            tensor = array.astype(np.float64, copy=False).astype(field.numpy_type, copy=False)
        if field.dtype == "bfloat16":
            tensor = round_bfloat16(tensor)
        least, most = _extremes(tensor)
        if math.isinf(least) or math.isinf(most):
            return None
    else:
        bounds, (least, most) = np.iinfo(field.numpy_type), _extremes(array)
        if array.dtype != np.int64 or int(least) < bounds.min or int(most) > bounds.max:
            return None
        tensor = array.astype(field.numpy_type, copy=False)
    with np.errstate(over="ignore"):
        is_low = field.minimum is not None and least < field.minimum
        is_high = field.maximum is not None and most > field.maximum
    return None if is_low or is_high else tensor


def _extremes(array: Array) -> tuple[Any, Any]:
    flat = array.reshape(-1)
    # Without the methods of the same meaning around them, whose arguments cost as much again.
    return np.minimum.reduce(flat), np.maximum.reduce(flat)


def _stack(parts: Sequence[NumberArray]) -> Array | None:
    shape = parts[0].array.shape
    if any(part.array.shape != shape for part in parts):
        return None
    # Many times faster than numpy's own stack.
    return np.concatenate([part.array.reshape(-1) for part in parts]).reshape(len(parts), *shape)


def _has_shape(field: Field, array: Array) -> bool:
    if field.shape is None:
        return array.ndim <= MOST_DIMENSIONS
    return len(field.shape) == array.ndim and all(
        fixed is None or fixed == size for fixed, size in zip(field.shape, array.shape, strict=True)
    )


def _are_choices(field: Field, array: Array) -> bool:
    found = np.unique(array)
    is_exact = found[0] > -_INEXACT and found[-1] < _INEXACT
    return (
        is_exact
        and len(found) <= len(field.choices)
        and {*field.choices}.issuperset(found.tolist())
    )


def _lists_to_tensor(field: Field, value: Any, limit: int) -> Array:
    shape: tuple[int, ...] = ()
    level = [value]
    while not _holds_leaves(field, level, len(shape)):
        if len(shape) == MOST_DIMENSIONS:
            raise InvalidValueError(f"Expected at most {MOST_DIMENSIONS} lists in each other.")
        size = _check_lists(_Level(field, level, shape, limit))
        shape = (*shape, size)
        level = list(chain.from_iterable(level))
    return _leaves_to_array(_Level(field, level, shape, limit)).reshape(shape)


# Not frozen: that alone would cost a third of reading a row.
@dataclass(slots=True, eq=False)
class _Level:
    """All values at one depth of nested lists, in row-major order."""

    field: Field
    values: Sequence[Any]
    shape: tuple[int, ...]
    limit: int

    def error(
        self, wrong: Iterable[Any], expected: str, sizes: Sequence[int] | None = None
    ) -> InvalidValueError:
        """Return the error that names the values for which ``wrong`` is true.

        Args:
            wrong: for each value whether it is wrong.
            expected: what is expected.
            sizes: the values' lengths in bytes, where that is what is wrong.
        """
        positions = islice((i for i, bad in enumerate(wrong) if bad), self.limit)
        return InvalidValueError(
            {
                tuple(map(int, np.unravel_index(i, self.shape))): (
                    f"Expected {expected}, not {_length(sizes, i)}"
                    f"{describe_received(self.field, self.values[i])}."
                )
                for i in positions
            }
        )


def _length(sizes: Sequence[int] | None, i: int) -> str:
    return f"{count_with_noun(sizes[i], 'byte')}: " if sizes else ""


def _holds_leaves(field: Field, level: Sequence[Any], depth: int) -> bool:
    if field.shape is not None:
        return depth == len(field.shape)
    # Of unknown rank: the first value shows how deep the lists are nested.
    return not level or type(level[0]) is not list


def _check_lists(level: _Level) -> int:
    """Check that all values are lists of one length, the right one, and return it."""
    values, shape = level.values, level.field.shape
    fixed = None if shape is None else shape[len(level.shape)]
    if any(kind is not list for kind in set(map(type, values))):
        expected = "a list" if fixed is None else _expected_list(level, fixed)
        raise level.error((type(value) is not list for value in values), expected)
    size = len(values[0]) if fixed is None and values else fixed or 0
    if any(found != size for found in set(map(len, values))):
        expected = _expected_list(level, fixed)
        raise level.error((len(value) != size for value in values), expected)
    if size == 0 and fixed is None and not level.shape:
        raise level.error([True], _expected_list(level, fixed))
    return size


def _expected_list(level: _Level, fixed: int | None) -> str:
    if fixed is not None:
        return f"a list of {count_with_noun(fixed)}"
    if level.shape and level.values and type(level.values[0]) is list:
        return f"a list of {count_with_noun(len(level.values[0]))}, as many as its neighbours have"
    return "a list of at least 1 value"


def _leaves_to_array(level: _Level) -> Array:
    field, values = level.field, level.values
    allowed = _leaf_types(field)
    if not set(map(type, values)) <= allowed:
        raise level.error(
            (type(value) not in allowed for value in values), describe_expected_value(field)
        )
    if field.dtype == "string":
        return _strings_to_array(level)
    if field.choices:
        choices = {*field.choices, None} if field.nullable else set(field.choices)
        if not choices.issuperset(values):
            raise level.error(
                (value not in choices for value in values), describe_expected_value(field)
            )
    array = _numbers_to_array(level)
    if field.minimum is not None or field.maximum is not None:
        low = -math.inf if field.minimum is None else field.minimum
        high = math.inf if field.maximum is None else field.maximum
        # NaN stands for null here, and compares false with everything.
        with np.errstate(over="ignore"):
            outside = (array < low) | (array > high)
        if outside.any():
            raise level.error(outside, describe_expected_value(field))
    return array


def _leaf_types(field: Field) -> set[type]:
    if field.dtype == "string":
        return {str, dict}
    if field.dtype == "bool":
        return {bool}
    types: set[type] = {int, float} if field.is_float else {int}
    return types | {type(None)} if field.nullable else types


def _numbers_to_array(level: _Level) -> Array:
    field, values = level.field, level.values
    if field.dtype == "bool":
        return np.array(values, dtype=np.bool_)
    if field.is_float:
        if len(values) <= _FEW and _is_within(field, values):
            return np.array(values, dtype=field.numpy_type)
        with np.errstate(over="ignore"):
            array: Array = np.array(values, dtype=np.float64).astype(field.numpy_type)
        if field.dtype == "bfloat16":
            array = round_bfloat16(array)
        # What stands for null is NaN by now. Other NaN is none of JSON's, but gRPC's examples may
        # hold it.
        beyond = np.isinf(array) if field.nullable else ~np.isfinite(array)
        if beyond.any():
            raise level.error(beyond, describe_expected_value(field))
        return array
    bounds = np.iinfo(field.numpy_type)
    # Python's own whole numbers have no bounds to wrap around.
    if values and not bounds.min <= min(values) <= max(values) <= bounds.max:
        outside = (not bounds.min <= value <= bounds.max for value in values)
        raise level.error(outside, describe_expected_value(field))
    return np.array(values, dtype=field.numpy_type)


def _is_within(field: Field, values: Sequence[Any]) -> bool:
    """Whether all values are certain to be finite as the field's floats."""
    most = _MOST_FLOAT.get(field.dtype)
    return (
        most is not None
        and None not in values
        and max(map(abs, values), default=0) <= most
        # NaN, which is less than nothing and not equal to itself, may hide behind a larger number.
        and all(map(eq, values, values))
    )


def _strings_to_array(level: _Level) -> Array:
    field = level.field
    values = _to_bytes(level)
    if field.choices:
        choices = {str(choice).encode() for choice in field.choices}
        if not choices.issuperset(values):
            raise level.error(
                (value not in choices for value in values), describe_expected_value(field)
            )
    most = field.max_length
    if most is not None and max(map(len, values), default=0) > most:
        sizes = list(map(len, values))
        raise level.error((size > most for size in sizes), describe_expected_value(field), sizes)
    array = np.empty(len(values), dtype=np.object_)
    array[:] = values
    return array


def _to_bytes(level: _Level) -> list[bytes]:
    if set(map(type, level.values)) == {str}:
        return list(map(str.encode, level.values))
    values = [string_from_json(value) for value in level.values]
    if None in values:
        expected = f'{describe_expected_value(level.field)} or {{"b64": "<base64>"}}'
        raise level.error((value is None for value in values), expected)
    return [value for value in values if value is not None]
