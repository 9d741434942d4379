"""What all formats that name whole tensors have in common: equal rows, and inputs left out."""

import numpy as np

from service.api.wording import counted
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


def fill_in(signature: Signature, inputs: Tensors) -> None:
    """Add the inputs that were left out, each of unknown values alone."""
    rows = next((tensor.shape[0] for tensor in inputs.values() if tensor.ndim), 1)
    for field in signature.inputs:
        if field.name not in inputs:
            inputs[field.name] = np.full(rows, np.nan, dtype=field.numpy_type)
