"""The parts of error messages: what a field takes, what came instead, how many."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from service.repository.contract import Field

_SHORT = 60


def describe_expected_value(field: Field) -> str:
    """Return in words what one value of ``field`` must be."""
    unit = f" {field.unit}" if field.unit else ""
    null = " or null" if field.nullable else ""
    if field.choices:
        return f"one of {', '.join(map(repr, field.choices))}{null}"
    if field.dtype == "string":
        most = (
            f" of at most {count_with_noun(field.max_length, 'byte')}" if field.max_length else ""
        )
        return f"a string{most}"
    if field.dtype == "bool":
        return "true or false"
    what = "a number" if field.is_float else "a whole number"
    match field.minimum, field.maximum:
        case None, None if field.is_float:
            bounds = "" if field.dtype == "float64" else f" within {field.dtype}"
        case None, None:
            limits = np.iinfo(field.numpy_type)
            bounds = f" from {limits.min} to {limits.max}"
        case low, None:
            bounds = f" of at least {low}"
        case None, high:
            bounds = f" of at most {high}"
        case low, high:
            bounds = f" from {low} to {high}"
    return f"{what}{bounds}{unit}{null}"


def shorten(value: Any) -> str:
    """Return ``value`` as a short text for a message."""
    match value:
        case list():
            return f"a list of {count_with_noun(len(value))}"
        case {"b64": str(text), **rest} if not rest:
            return f'{{"b64": "{_cut(text)}"}}'
        case dict():
            return "an object"
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case _:
            return _cut(repr(value))


def describe_received(field: Field, value: Any) -> str:
    """Return a short text for a wrong value of a field; only its kind if the field is sensitive.

    Error messages are written into the logs of the service and of proxies.
    """
    if not field.sensitive or value is None or isinstance(value, list | bool):
        return shorten(value)
    match value:
        case {"b64": str(), **rest} if not rest:
            return "the bytes that were sent"
        case dict():
            return shorten(value)
        case int() | float():
            return "the number that was sent"
        case _:
            return "the text that was sent"


def count_with_noun(number: int, noun: str = "value") -> str:
    """Return a number with its noun, which becomes a plural by an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shape_in_words(shape: Sequence[int | None]) -> str:
    """Return a contract's shape as messages write it: ``[N, 28, 28]``."""
    return f"[{', '.join('N' if size is None else str(size) for size in shape)}]"


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}..."
