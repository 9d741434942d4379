"""Inputs that a request leaves out, as far as it may."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from service.repository.contract import Signature
from service.repository.golden_examples import Tensors


def add_default_inputs(signature: Signature, inputs: Tensors, rows: int | None = None) -> None:
    """Add the inputs that were left out: their defaults, or NaN for unknown values.

    Args:
        signature: whose inputs.
        inputs: those that a request has.
        rows: how many instances the request has; without, as many as the first input has rows.
    """
    missing = [field for field in signature.inputs if field.name not in inputs]
    if not missing:
        return
    if rows is None:
        rows = next((tensor.shape[0] for tensor in inputs.values() if tensor.ndim), 1)
    for field in missing:
        if field.default is None:
            # Of an input of a fixed size, as many as that says.
            shape = [rows if size is None else size for size in field.shape or ()]
            inputs[field.name] = np.full(shape, np.nan, dtype=field.numpy_type)
        elif field.default_is_row:
            inputs[field.name] = np.repeat(field.default, rows, axis=0)
        else:
            # As in TensorFlow Serving: a default that is not one row is the whole tensor.
            inputs[field.name] = field.default


def completed_inputs(signature: Signature, inputs: Tensors) -> Tensors:
    """Return inputs with those that a request may leave out; the same where others are missing."""
    missing = [field for field in signature.inputs if field.name not in inputs]
    if not all(field.may_be_absent for field in missing):
        return inputs
    whole = dict(inputs)
    add_default_inputs(signature, whole)
    return whole


def inputs_left_out(signature: Signature, instances: Iterable[Any]) -> set[str]:
    """Return the inputs with a default that no instance names; their defaults are used."""
    left = {field.name for field in signature.inputs if field.default is not None}
    for row in instances if left else ():
        if type(row) is dict:
            left.difference_update(row)
    return left
