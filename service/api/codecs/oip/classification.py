"""The classification extension: the highest values of an output, as "<score>:<index>[:<label>]"."""

import math
from collections.abc import Sequence

import numpy as np

from service.api.validation.tensors import Array
from service.repository.contract import Contract, Field, Signature


def can_classify(field: Field) -> bool:
    """Whether an output's values can be scores of classes."""
    return field.is_number


def class_labels(signature: Signature, contract: Contract, count: int) -> Sequence[str]:
    """Return the names of ``count`` classes; empty where the contract does not name them.

    They are the choices of the signature's string output that has as many, in their order, if
    there is exactly one such output; where the signature names no classes at all, those of the
    contract's other signatures, if they agree.
    """
    named = _choices(signature)
    if not named:
        named = list({each for other in contract.values() for each in _choices(other)})
    found = [each for each in named if len(each) == count]
    return [str(choice) for choice in found[0]] if len(found) == 1 else ()


def _choices(signature: Signature) -> list[tuple[str | int | float, ...]]:
    return [f.choices for f in signature.outputs if f.dtype == "string" and f.choices]


def top_classes(signature: Signature, contract: Contract, tensor: Array, count: int) -> Array:
    """Return the classes with the highest scores, the highest first.

    Args:
        signature: whose output the tensor is.
        contract: the model's, of which it is one.
        tensor: scores; of shape ``[rows, ...]`` where the signature has rows.
        count: how many classes at most.

    Returns:
        ``bytes`` in an object array of shape ``[rows, n]``, or ``[n]`` without rows. A score is
        written as Triton does: C's ``%f`` for floats.
    """
    # An output of unknown rank may have come as a single number, which has no rows.
    has_rows = signature.batched and tensor.ndim > 0
    rows = tensor.shape[0] if has_rows else 1
    scores = tensor.reshape(rows, math.prod(tensor.shape[1:]) if has_rows else tensor.size)
    count = min(count, scores.shape[1])
    names = class_labels(signature, contract, scores.shape[1])
    top = np.empty((rows, count), dtype=np.object_)
    for row in range(rows):
        # The last of those sorted upwards, with the lower index first among equals.
        order = scores.shape[1] - 1 - np.argsort(scores[row, ::-1], kind="stable")[::-1]
        for place, index in enumerate(order[:count].tolist()):
            score = scores[row, index].item()
            text = f"{score:f}" if isinstance(score, float) else str(score)
            label = f":{names[index]}" if names else ""
            top[row, place] = f"{text}:{index}{label}".encode()
    return top if has_rows else top[0]
