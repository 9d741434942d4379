"""Turns the examples of a file into requests of a signature, checked against its fields."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from service.repository.contract import Field, Shape
from service.repository.json_strings import string_from_json
from training.errors import UsageError
from training.importing.sample_file import SampleRow, Samples, identifier

_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def instances(samples: Samples, fields: Sequence[Field]) -> list[dict[str, Any]]:
    """Return each example as the JSON of one instance: every input's value by its name.

    Values that are arrays of NumPy's stay such.

    Raises:
        UsageError: an example does not fit; the message names its place, what was expected and
            what it holds.
    """
    names = [field.name for field in fields]
    given = {_input_of(heading, names): heading for heading in samples.names}
    if given:
        for odd in (*given, *names):
            if odd not in given or odd not in names:
                what = f"has {given[odd]!r}, which is not one" if odd in given else f"lacks {odd!r}"
                raise UsageError(
                    f"{samples.rows[0].place}: expected a value of each input "
                    f"({', '.join(names)}); it {what}."
                )
    elif len(fields) > 1 and not _are_in_order(samples, fields):
        raise UsageError(
            f"{samples.rows[0].place}: expected the values of {', '.join(names)} by their names."
        )
    return [
        {
            field.name: _value(field, _of(row, field.name, given, names), row, samples.as_text)
            for field in fields
        }
        for row in samples.rows
    ]


def shape_of(value: Any) -> Any:
    """Return how many values there are in the arrays or lists of an instance, however deep."""
    if isinstance(value, Mapping):
        return tuple(map(shape_of, value.values()))
    if isinstance(value, np.ndarray):
        return value.shape
    if not isinstance(value, list):
        return ()
    inner = [shape_of(item) for item in value]
    if all(each == inner[0] for each in inner):
        return (len(value), *(inner[0] if inner else ()))
    return (len(value), tuple(inner))


def checked_value(field: Field, value: Any, place: str) -> Any:
    """Return the value of one input, as JSON, where it fits the field.

    Raises:
        UsageError: it does not; the message begins with ``place``.
    """
    return _value(field, value, SampleRow(place, value), as_text=False)


def _input_of(heading: str, names: Sequence[str]) -> str:
    """Return the input that a heading means; what it reads as where it means none.

    An input's own name may have what ``identifier`` replaces.
    """
    if heading in names:
        return heading
    read = identifier(heading)
    return next((name for name in names if identifier(name) == read), read)


def _are_in_order(samples: Samples, fields: Sequence[Field]) -> bool:
    """Whether rows without names are lists of a number for each input."""
    return all(
        isinstance(row.value, list | np.ndarray) and len(row.value) == len(fields)
        for row in samples.rows
    )


def _of(row: SampleRow, name: str, given: dict[str, str], names: Sequence[str]) -> Any:
    if given:
        return row.value[given[name]]
    return row.value if len(names) == 1 else row.value[names.index(name)]


def _value(field: Field, value: Any, row: SampleRow, as_text: bool) -> Any:
    shape = field.instance_shape or ()
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and not value.ndim):
        value = value.item()
    if isinstance(value, np.ndarray):
        if _fits(field, value, shape):
            return value
        # Says what is wrong, and where.
        value = value.tolist()
    if as_text and isinstance(value, list) and shape == () and len(value) == 1:
        value = value[0]  # The only column of a CSV file.
    if isinstance(value, list) and shape == () and len(value) == 1:
        value = value[0]
    nested = _nested(field, value, row, shape, as_text, field.name)
    if len(shape) > 1 and not all(isinstance(size, int) for size in shape_of(nested)):
        raise UsageError(f"{row.place}: {field.name} must be lists of equal lengths at each depth.")
    return nested


def _fits(field: Field, array: npt.NDArray[Any], shape: Shape) -> bool:
    """Whether an array of numbers is a value of a field, which is seen without a look at each."""
    if not field.is_number or field.choices or len(shape) != array.ndim or not array.size:
        return False
    if any(size not in (None, found) for size, found in zip(shape, array.shape, strict=True)):
        return False
    least, largest = array.min().item(), array.max().item()
    if field.is_float:
        # Both are NaN where any value is, and then not within anything.
        most = float(np.finfo(field.numpy_type).max)
        within = -most <= least <= largest <= most
    else:
        bounds = np.iinfo(field.numpy_type)
        within = array.dtype.kind in "iu" and bounds.min <= least <= largest <= bounds.max
    low, high = field.minimum, field.maximum
    return within and (low is None or low <= least) and (high is None or largest <= high)


def _nested(
    field: Field, value: Any, row: SampleRow, shape: Shape, as_text: bool, where: str
) -> Any:
    if not shape:
        return _single(field, value, row, as_text, where)
    expected = f"a list of {shape[0]} values" if shape[0] is not None else "a list of values"
    if not isinstance(value, list) or shape[0] not in (None, len(value)):
        found = f"a list of {len(value)}" if isinstance(value, list) else _shown(value)
        raise UsageError(f"{row.place}: {where} must be {expected}, not {found}.")
    return [
        _nested(field, item, row, shape[1:], as_text, f"{where}[{i}]")
        for i, item in enumerate(value)
    ]


def _single(field: Field, value: Any, row: SampleRow, as_text: bool, where: str) -> Any:
    if value is None or (as_text and field.is_number and not str(value).strip()):
        if field.nullable:
            return None
        raise UsageError(
            f"{row.place}: {where} has no value; where that is allowed, say nullable = true under "
            f"[inputs.{field.name}] in the --config file."
        )
    if field.dtype == "string":
        checked: Any = _text(value, row, where) if isinstance(value, bytes) else value
        try:
            is_string = string_from_json(checked) is not None
        except UnicodeEncodeError:
            raise _unfit(row, where, "a string without half a character", value) from None
        if not is_string:
            known = isinstance(value, dict) and "b64" in value
            raise _unfit(row, where, 'base64, as {"b64": "..."}' if known else "a string", value)
    elif field.dtype == "bool":
        checked = _truth(value) if as_text else value
        if not isinstance(checked, bool):
            raise _unfit(row, where, "true or false", value)
    else:
        checked = _number(field, value, row, as_text, where)
    if field.choices and checked not in field.choices:
        raise _unfit(row, where, f"one of {', '.join(map(str, field.choices))}", value)
    return checked


def _number(
    field: Field, value: Any, row: SampleRow, as_text: bool, where: str
) -> int | float | None:
    expected = "a number" if field.is_float else "a whole number"
    number: Any = value
    if as_text and isinstance(value, str):
        number = _read_number(value)
    if isinstance(number, float) and math.isnan(number) and field.nullable:
        return None
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise _unfit(row, where, expected, value)
    if isinstance(number, float) and not math.isfinite(number):
        raise _unfit(row, where, expected, value)
    if field.is_float:
        # Beyond it the model would be tried with infinity, which no client can send.
        most = float(np.finfo(field.numpy_type).max)
        if abs(number) > most:
            raise _unfit(row, where, f"{expected} within {field.dtype}", value)
    else:
        bounds = np.iinfo(field.numpy_type)
        if int(number) != number or not bounds.min <= number <= bounds.max:
            raise _unfit(row, where, f"{expected} from {bounds.min} to {bounds.max}", value)
        number = int(number)
    low, high = field.minimum, field.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        words = [
            *([f"at least {low:g}"] if low is not None else []),
            *([f"at most {high:g}"] if high is not None else []),
        ]
        raise _unfit(row, where, " and ".join(words), value)
    return int(number) if isinstance(value, int) and not as_text else number


def _read_number(text: str) -> int | float | None:
    """Return the number that a text is; ``None`` for other text.

    A whole number stays one: as a float it would lose its last digits beyond 2 ** 53.
    """
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return None


def _text(value: bytes, row: SampleRow, where: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise _unfit(row, where, "UTF-8", value) from None


def _truth(text: Any) -> Any:
    word = str(text).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else text


def _unfit(row: SampleRow, where: str, expected: str, value: Any) -> UsageError:
    return UsageError(f"{row.place}: {where} must be {expected}, not {_shown(value)}.")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
