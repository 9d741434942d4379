"""What all formats that name whole tensors have in common: equal rows, and inputs left out."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from service.api.validation.messages import counted
from service.repository.contract import Signature
from service.repository.golden import Tensors


def unequal_rows(inputs: Tensors) -> dict[str, str]:
    """Say, by name, which inputs have another number of rows than the first of them."""
    # A tensor of unknown rank may have come as a single number, which has no rows.
    rows = {name: tensor.shape[0] for name, tensor in inputs.items() if tensor.ndim}
    first = next(iter(rows), "")
    return {
        name: f"Expected {counted(rows[first], 'row')}, as many as {first!r} has, not {count}."
        for name, count in rows.items()
        if count != rows[first]
    }


def add_default_inputs(signature: Signature, inputs: Tensors, rows: int | None = None) -> None:
    """Add the inputs that were left out, each of its default, or of unknown values alone.

    Args:
        signature: whose inputs.
        inputs: those that a request brings.
        rows: how many instances it asks about; without, as many as the first input has rows.
    """
    missing = [field for field in signature.inputs if field.name not in inputs]
    if not missing:
        return
    if rows is None:
        rows = next((tensor.shape[0] for tensor in inputs.values() if tensor.ndim), 1)
    for field in missing:
        if field.default is None:
            inputs[field.name] = np.full(rows, np.nan, dtype=field.numpy_type)
        elif field.default_is_row:
            inputs[field.name] = np.repeat(field.default, rows, axis=0)
        else:
            # As TensorFlow Serving does it: what is not one row is meant for all of them.
            inputs[field.name] = field.default


def inputs_left_out(signature: Signature, instances: Iterable[Any]) -> set[str]:
    """Return the inputs with a default that no instance names; so the default stands for all."""
    left = {field.name for field in signature.inputs if field.default is not None}
    for row in instances if left else ():
        if type(row) is dict:
            left.difference_update(row)
    return left
