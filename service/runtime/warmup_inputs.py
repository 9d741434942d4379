"""Values for a run of a signature that nobody has asked for, to warm it up."""

import math

import numpy as np

from service.repository.contract import Field, Signature
from service.repository.golden_examples import Tensors

# In elements. Larger values would take more memory than a warm start is worth.
_LARGEST = 2**24


def placeholders(signature: Signature, rows: int, known: Tensors) -> Tensors | None:
    """Return inputs of so many rows; ``None`` where that would take too much memory.

    Args:
        signature: whose inputs.
        rows: how many, where they are free.
        known: real values to repeat the first row of; empty where there are none.
    """
    if known:
        return {
            name: np.repeat(tensor[:1], rows, axis=0) if tensor.ndim else tensor
            for name, tensor in known.items()
        }
    shapes = {field.name: _shape(field, rows) for field in signature.inputs}
    if sum(map(math.prod, shapes.values())) > _LARGEST:
        return None
    return {
        field.name: np.full(
            shapes[field.name], b"" if field.dtype == "string" else 0, dtype=field.numpy_type
        )
        for field in signature.inputs
    }


def _shape(field: Field, rows: int) -> list[int]:
    shape = (None,) if field.shape is None else field.shape
    sizes = [1 if size is None else size for size in shape]
    if field.has_batch:
        sizes[0] = rows
    return sizes
