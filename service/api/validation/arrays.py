"""Arrays that came as bytes, held to the contract as JSON values are
(service/api/validation/tensors.py).

Each check is one pass over the array; only if it fails are the offending places searched.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from service.api.json.json_numbers import MOST_DIMENSIONS
from service.api.validation.error_messages import (
    describe_expected_value,
    describe_received,
    shape_in_words,
)
from service.api.validation.problems import InvalidValueError
from service.api.validation.tensors import Array
from service.repository.contract import Field

_LONGEST_SHAPE = 60
# The product of the other dimensions of a tensor without values: a few bytes can name a shape of
# which a model would make terabytes.
_MOST_AROUND_NOTHING = 2**20


def check_shape(field: Field, shape: Sequence[int], written: Sequence[int] | None = None) -> None:
    """Check that ``field`` takes an array of a shape.

    Args:
        field: what is expected.
        shape: the array's.
        written: the shape as the client wrote it, where that is another; it stands in the message.

    Raises:
        InvalidValueError: it does not.
    """
    shown = shape if written is None else written
    if len(shape) > MOST_DIMENSIONS:
        raise InvalidValueError(f"Expected at most {MOST_DIMENSIONS} dimensions, not {len(shape)}.")
    # Only the first dimension may hold the instances; all others may be empty, as sequences are.
    if field.shape is None:
        fits = 0 not in shape[:1]
    else:
        fits = len(shape) == len(field.shape) and all(
            size == fixed if fixed is not None else size > 0 or i > 0
            for i, (size, fixed) in enumerate(zip(shape, field.shape, strict=True))
        )
    if not fits:
        if field.shape is None:
            raise InvalidValueError(
                f"Expected at least 1 in the first dimension, not {shorten_shape(shown)}."
            )
        above = ", N at least 1," if None in field.shape[:1] else ","
        raise InvalidValueError(
            f"Expected {shape_in_words(field.shape)}{above} not {shorten_shape(shown)}."
        )
    if 0 in shape and math.prod(filter(None, shape)) > _MOST_AROUND_NOTHING:
        raise InvalidValueError(
            f"Expected at most {_MOST_AROUND_NOTHING} as the product of the sizes beside 0, "
            f"not {shorten_shape(shown)}."
        )


def shorten_shape(shape: Sequence[int]) -> str:
    """Return a shape as a short text for a message."""
    text = str(list(shape))
    return text if len(text) <= _LONGEST_SHAPE else f"{text[: _LONGEST_SHAPE - 3]}..."


def check_array(field: Field, array: Array, *, limit: int) -> None:
    """Check the values of an array that is already of the field's dtype; strings are ``bytes``.

    NaN stands for null where the field is nullable, and is refused where it is not.

    Args:
        field: what is expected.
        array: flat.
        limit: the most problems to report.

    Raises:
        InvalidValueError: it names up to ``limit`` places.
    """
    wrong = _wrong_strings(field, array) if field.dtype == "string" else _wrong(field, array)
    if wrong is None or not wrong.any():
        return
    expected = describe_expected_value(field)
    raise InvalidValueError(
        {
            (
                int(i),
            ): f"Expected {expected}, not {describe_received(field, array[i : i + 1].tolist()[0])}."
            for i in np.flatnonzero(wrong)[:limit]
        }
    )


def _wrong(field: Field, array: Array) -> Array | None:
    """Return a mask of the numbers that break a rule; ``None`` if no rule applies."""
    if field.dtype == "bool":
        return None
    null = np.isnan(array) if field.is_float and field.nullable else None
    checks: list[Array] = []
    if field.is_float:
        checks.append(~np.isfinite(array))
    if field.choices:
        checks.append(~np.isin(array, np.array(field.choices, dtype=array.dtype)))
    if field.minimum is not None:
        checks.append(array < field.minimum)
    if field.maximum is not None:
        checks.append(array > field.maximum)
    if not checks:
        return None
    wrong: Array = np.logical_or.reduce(checks)
    return wrong if null is None else wrong & ~null


def _wrong_strings(field: Field, array: Array) -> Array | None:
    values: list[Any] = array.tolist()
    choices = {str(choice).encode() for choice in field.choices}
    most = field.max_length
    if choices and not choices.issuperset(values):
        return np.array([value not in choices for value in values])
    if most is not None and max(map(len, values), default=0) > most:
        return np.array([len(value) > most for value in values])
    return None
