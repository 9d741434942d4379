"""Training-serving skew: whether examples sent by a client are answered as they were measured.

A version is measured with the arrays that the trainer made of files and rows; clients send the
files and rows themselves. If the two get different answers, the measurement says nothing about
what will be served.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from service.images.preparation import UnfitPictureError
from service.repository.contract import Contract, Field
from service.repository.golden_examples import Golden, agree, row_to_json
from training.array_types import Array, Predict
from training.data.original_examples import Original
from training.data.own.image_folder import as_sent

# How many examples that are answered otherwise a sentence lists.
_TOLD = 3
# How closely numbers must agree: the same graph adds other batches in other orders.
_ALIKE = Golden([], absolute=1e-3, relative=1e-3)


def find_serving_skew(
    originals: Sequence[Original], predict: Predict, contract: Contract
) -> list[str]:
    """Say, a clause each, which originals are refused, or answered otherwise than measured."""
    found = []
    for original in originals:
        try:
            problem = _difference(original, predict, contract)
        except _RefusedError as error:
            problem = str(error)
        if problem:
            found.append(f"{original.place}: {problem}")
    return found


def skew_sentence(originals: Sequence[Original], found: Sequence[str]) -> str:
    """Return what ``find_serving_skew`` found."""
    count = len(originals)
    if not found:
        return f"{count} originals of test examples are answered as they were measured."
    more = f"; and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
    return (
        f"Of {count} originals of test examples {len(found)} are not answered as they were "
        f"measured: {'; '.join(found[:_TOLD])}{more}."
    )


class _RefusedError(Exception):
    """It would not be answered at all; the message is without a full stop."""


def _difference(original: Original, predict: Predict, contract: Contract) -> str:
    """Return in which output an original is answered otherwise; empty where in none.

    Raises:
        _RefusedError: it would not be answered at all.
    """
    takes = contract[original.signature].inputs
    sent = {field.name: _one(field, _checked(field, original.sent[field.name])) for field in takes}
    measured = {
        field.name: _one(field, original.measured[field.name])
        for field in contract[original.measured_by].inputs
    }
    try:
        got = row_to_json(predict(original.signature, sent), 0)
    except tf.errors.InvalidArgumentError as error:
        raise _RefusedError(f"the model refuses it: {error.message:.100}") from error
    wanted = row_to_json(predict(original.measured_by, measured), 0)
    for name in wanted:
        if name in got and not agree(wanted[name], got[name], _ALIKE):
            return f"{name} is {got[name]!r:.60}, and was {wanted[name]!r:.60} when measured"
    return ""


def _checked(field: Field, value: Any) -> Any:
    """Return a value as the graph gets it from the service.

    Raises:
        _RefusedError: the service would not take it.
    """
    if field.content_types:
        try:
            return as_sent(value.read_bytes(), field)
        except OSError as error:
            raise _RefusedError(f"it cannot be read: {error.strerror}") from error
        except UnfitPictureError as error:
            raise _RefusedError(f"the service refuses it: {error}".rstrip(".")) from error
    problem = _problem(field, value)
    if problem:
        raise _RefusedError(f"the service refuses it: {field.name} {problem}")
    return np.nan if value is None else value


def _problem(field: Field, value: Any) -> str:
    """Return what a value breaks of its field's rules; empty when nothing."""
    if value is None and field.nullable:
        return ""
    if field.max_length is not None and len(value) > field.max_length:
        return f"has {len(value)} bytes, above {field.max_length}"
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    if field.choices and text not in field.choices:
        return f"is {text!r:.60}, not one of {list(field.choices)}"
    # Of an array the least and the largest number count.
    if field.minimum is not None and not np.min(value) >= field.minimum:
        return f"is {np.min(value):g}, below {field.minimum:g}"
    if field.maximum is not None and not np.max(value) <= field.maximum:
        return f"is {np.max(value):g}, above {field.maximum:g}"
    return ""


def _one(field: Field, value: Any) -> Array:
    """Return a batch of one instance."""
    if field.dtype != "string":
        return np.array([value], field.numpy_type)
    array = np.empty(1, object)
    array[0] = value
    return array
