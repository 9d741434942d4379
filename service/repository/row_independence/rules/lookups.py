"""Looking values up: gathers, one-hot vectors, tables, counts within a row."""

from collections.abc import Callable, Sequence

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Item,
    Known,
    MixError,
    Tensor,
    Turn,
    VariableHandle,
)
from service.repository.row_independence.graph import Node
from service.repository.row_independence.rules.rule_helpers import (
    axis_in,
    known_integers,
    refuse_rows_at,
    tensor,
)
from service.repository.row_independence.symbolic_sizes import ROWS, sized, unknown


def _gather(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    if isinstance(arguments[1], Turn):
        return _row_of_turn(found, arguments[1], known_integers(arguments[2], "axes")[0])
    indices = tensor(arguments[1])
    (axis,) = known_integers(arguments[2], "axes")
    return _gathered(found, indices, axis_in(axis, found.rank), node.integer("batch_dims"))


def _row_of_turn(found: Tensor, turn: Turn, axis: int) -> AbstractValue:
    if turn.ahead or found.axis != 0 or axis or found.sizes[0] != ROWS:
        raise MixError("takes a row other than the current one")
    return Item(found.sizes[1:])


def _gathered(found: Tensor, indices: Tensor, axis: int, batch: int) -> Tensor:
    if found.shape is None or indices.shape is None:
        raise MixError("takes values from a tensor of unknown shape")
    batch %= indices.rank + 1
    refuse_rows_at(found, [axis], "takes by number from")
    shape = (*found.sizes[:axis], *indices.sizes[batch:], *found.sizes[axis + 1 :])
    if indices.axis is None:
        if found.axis is None:
            return Tensor(shape)
        if batch and found.axis < batch:
            raise MixError("takes from each row by its position")
        moved = found.axis if found.axis < axis else found.axis + indices.rank - batch - 1
        return found.like(shape, moved)
    if found.axis is not None:
        same = (found.outer, found.inner) == (indices.outer, indices.inner)
        if found.axis != indices.axis or found.axis >= batch or not same:
            raise MixError("takes values from rows at positions that other rows give")
        return found.like(shape, found.axis)
    if indices.axis < batch:
        raise MixError("takes for each row by its position")
    return indices.like(shape, axis + indices.axis - batch)


def _resource_gather(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    handle, indices = arguments[0], tensor(arguments[1])
    if node.integer("batch_dims") or not isinstance(handle, VariableHandle):
        raise MixError("takes values in a way that cannot be followed")
    if handle.shape is None:
        raise MixError("takes values from a variable of unknown shape")
    return _gathered(Tensor(handle.shape), indices, 0, 0)


def _gather_nd(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, indices = map(tensor, arguments)
    if found.axis is not None:
        raise MixError("takes by number from the rows")
    depth = indices.sizes[-1].known
    refuse_rows_at(indices, [indices.rank - 1], "takes by number from")
    if depth is None or node.integer("batch_dims"):
        raise MixError("takes values in a way that cannot be followed")
    shape = (*indices.sizes[:-1], *found.sizes[depth:])
    return Tensor(shape, indices.axis, indices.outer, indices.inner)


def _one_hot(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    if any(tensor(other).axis is not None for other in arguments[1:]):
        raise MixError("has a depth or values that depend on the rows")
    known = isinstance(arguments[1], Known)
    depth = sized(known_integers(arguments[1], "a depth")[0]) if known else unknown()
    axis = axis_in(node.integer("axis", -1), found.rank + 1)
    shape = (*found.sizes[:axis], depth, *found.sizes[axis:])
    if found.axis is None:
        return Tensor(shape)
    return found.like(shape, found.axis + (axis <= found.axis))


def _look_up(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    keys, default = map(tensor, arguments[1:])
    if default.axis is not None or default.rank:
        raise MixError("looks up in a way that cannot be followed")
    return keys


def _count(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    weights = tensor(arguments[2])
    if found.rank != 2 or found.axis not in (None, 0):
        raise MixError("counts over the rows")
    no_weights = weights.axis is None and weights.shape is not None and _is_empty(weights)
    same = (weights.axis, weights.outer, weights.inner) == (found.axis, found.outer, found.inner)
    if not (no_weights or (same and weights.shape is not None and weights.rank == 2)):
        raise MixError("counts with weights of other rows")
    last = unknown()
    if isinstance(arguments[1], Known):
        last = sized(known_integers(arguments[1], "a size")[0])
    elif tensor(arguments[1]).axis is not None:
        raise MixError("counts up to a value of the rows")
    return Tensor((found.sizes[0], last), found.axis, found.outer, found.inner)


def _is_empty(found: Tensor) -> bool:
    return any(size.known == 0 for size in found.sizes)


RULES: dict[str, Callable[[Node, Sequence[AbstractValue]], AbstractValue | list[AbstractValue]]] = {
    "GatherV2": _gather,
    "ResourceGather": _resource_gather,
    "GatherNd": _gather_nd,
    "OneHot": _one_hot,
    "LookupTableFindV2": _look_up,
    "DenseBincount": _count,
}
