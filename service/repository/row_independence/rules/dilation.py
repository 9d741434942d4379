"""Dilated convolutions: positions move into the first dimension, and back after the convolution.

``SpaceToBatchND`` gives ``[blocks * batch, ...]``, the blocks before the batch, so that all rows
come once after one another for each block.
"""

import math
from collections.abc import Callable, Sequence

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Known,
    MixError,
    Tensor,
)
from service.repository.row_independence.graph import Node
from service.repository.row_independence.rules.rule_helpers import known_integers, tensor, total
from service.repository.row_independence.symbolic_sizes import Size, sized, unknown


def _to_batch(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, blocks, pairs = _taken(arguments)
    shape = list(found.sizes)
    shape[0] = shape[0] * math.prod(blocks)
    for i, block in enumerate(blocks, start=1):
        padded = total([shape[i], *pairs[i - 1]]) if pairs else None
        shape[i] = (padded and padded.divided_by(block)) or unknown()
    return Tensor(tuple(shape), found.axis, found.outer * math.prod(blocks), found.inner)


def _to_space(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, blocks, pairs = _taken(arguments)
    shape, count = list(found.sizes), math.prod(blocks)
    for i, block in enumerate(blocks, start=1):
        cropped = [-sized(size) for size in pairs[i - 1]] if pairs else []
        shape[i] = total([shape[i] * block, *cropped]) if pairs else unknown()
    if found.axis is None:
        shape[0] = shape[0].divided_by(count) or unknown()
        return Tensor(tuple(shape))
    outer, first = found.outer.divided_by(count), shape[0].divided_by(count)
    if outer is None or first is None:
        raise MixError("takes different rows for parts of one")
    return Tensor((first, *shape[1:]), 0, outer, found.inner)


def _taken(arguments: Sequence[AbstractValue]) -> tuple[Tensor, list[int], list[list[int | Size]]]:
    """Return the tensor, the blocks, and the pairs of what is added or cut, if they are known.

    Raises:
        MixError: the rows do not lie in the first dimension, or say one of the others.
    """
    found, blocks = tensor(arguments[0]), known_integers(arguments[1], "blocks")
    if found.axis not in (None, 0):
        raise MixError("moves the rows into blocks")
    if len(blocks) >= found.rank or any(block < 1 for block in blocks):
        raise MixError("has blocks that cannot be followed")
    margins = arguments[2]
    if isinstance(margins, Known):
        if margins.includes_row_count:
            raise MixError("pads by the number of rows")
        return found, blocks, margins.array.reshape(-1, 2).tolist()
    if tensor(margins).axis is not None:
        raise MixError("pads with values of the rows")
    return found, blocks, []


RULES: dict[str, Callable[[Node, Sequence[AbstractValue]], AbstractValue | list[AbstractValue]]] = {
    "SpaceToBatchND": _to_batch,
    "BatchToSpaceND": _to_space,
}
