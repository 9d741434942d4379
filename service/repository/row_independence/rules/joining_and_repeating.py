"""Operations that join, pad and repeat tensors, and fill them with one value."""

from collections.abc import Callable, Sequence

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Known,
    MixError,
    Shape,
    Tensor,
)
from service.repository.row_independence.graph import Node
from service.repository.row_independence.rules.rule_helpers import (
    axis_in,
    broadcast,
    known_integers,
    known_sizes,
    one_axis,
    same_rows,
    tensor,
    total,
)
from service.repository.row_independence.symbolic_sizes import ONE, ROWS, Size, sized, unknown


def _concat(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    tensors = [tensor(argument) for argument in arguments[:-1]]
    rank = tensors[0].rank
    (axis,) = known_integers(arguments[-1], "axes")
    axis = axis_in(axis, rank)
    if any(found.rank != rank for found in tensors):
        raise MixError("joins tensors of different ranks")
    shape = list(_common_sizes(tensors, axis))
    shape[axis] = total([found.sizes[axis] for found in tensors])
    if all(found.axis is None for found in tensors):
        return Tensor(tuple(shape))
    if any(found.axis is None for found in tensors):
        raise MixError("joins the rows with values that have none")
    first = tensors[0]
    if any(found.axis != first.axis or found.inner != first.inner for found in tensors):
        raise MixError("combines different rows")
    assert first.axis is not None
    if axis != first.axis:
        one_axis(tensors, [found.axis for found in tensors])
        return first.like(tuple(shape), first.axis)
    # All rows, and then all rows again: each position is still of one row.
    outer = total([found.outer for found in tensors])
    shape[axis] = outer * ROWS * first.inner
    return Tensor(tuple(shape), axis, outer, first.inner)


def _common_sizes(tensors: Sequence[Tensor], axis: int) -> Shape:
    """Return the sizes that tensors share in all dimensions but ``axis``."""
    shape = []
    for position in range(tensors[0].rank):
        here = [found.sizes[position] for found in tensors]
        fitting = [size for size in here if size.known is not None] or here
        same = len(set(here)) == 1 or position == axis
        shape.append(here[0] if same else fitting[0])
    return tuple(shape)


def _pack(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    tensors = [tensor(argument) for argument in arguments]
    if len({found.rank for found in tensors}) != 1:
        raise MixError("stacks tensors of different ranks")
    rows = one_axis(tensors, [found.axis for found in tensors])
    if rows is not None and any(found.axis is None for found in tensors):
        raise MixError("stacks the rows with values that have none")
    axis = axis_in(node.integer("axis"), tensors[0].rank + 1)
    shape = _common_sizes(tensors, -1)
    shape = (*shape[:axis], sized(len(tensors)), *shape[axis:])
    if rows is None or rows.axis is None:
        return Tensor(shape)
    return rows.like(shape, rows.axis + (axis <= rows.axis))


def _pad(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    for other in arguments[2:]:
        if tensor(other).axis is not None:
            raise MixError("pads with values of the rows")
    if not isinstance(arguments[1], Known):
        if found.axis is None and tensor(arguments[1]).axis is None:
            return Tensor(tuple(unknown() for _ in found.sizes))
        raise MixError("has paddings that are not known beforehand")
    pairs = arguments[1].array.reshape(-1, 2).tolist()
    shape = []
    for i, (own, pair) in enumerate(zip(found.sizes, pairs, strict=True)):
        if any(isinstance(side, Size) and side.rows for side in pair):
            raise MixError("pads by the number of rows")
        if i == found.axis and pair != [0, 0]:
            raise MixError("pads the rows")
        shape.append(own if pair == [0, 0] else total([own, *pair]))
    return Tensor(tuple(shape), found.axis, found.outer, found.inner)


def _tile(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, multiples = tensor(arguments[0]), known_sizes(arguments[1], "multiples")
    shape = tuple(own * sized(m) for own, m in zip(found.sizes, multiples, strict=True))
    if found.axis is not None:
        if any(sized(m).rows for m in multiples):
            raise MixError("repeats the rows by their number")
        times = sized(multiples[found.axis])
        return Tensor(shape, found.axis, found.outer * times, found.inner)
    return _made(shape, [sized(m) for m in multiples], found.sizes)


def _made(shape: Shape, times: Sequence[Size], own: Shape) -> Tensor:
    """Return what repeats a tensor without rows, as often as there are rows or otherwise."""
    if not any(m.rows for m in times):
        return Tensor(shape)
    same_rows(shape)
    axis = next(i for i, m in enumerate(times) if m.rows)
    outer = times[axis].divided_by(ROWS)
    assert outer is not None
    return Tensor(shape, axis, outer, own[axis])


def _broadcast_to(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, wanted = tensor(arguments[0]), [sized(s) for s in known_sizes(arguments[1], "a shape")]
    if found.axis is not None:
        return broadcast([found, _target(wanted, found)])
    if not any(size.rows for size in wanted):
        return Tensor(tuple(wanted))
    same_rows(tuple(wanted))
    axis = next(i for i, size in enumerate(wanted) if size.rows)
    here = axis - len(wanted) + found.rank
    if here >= 0 and found.sizes[here] != ONE:
        raise MixError("repeats values by the number of rows")
    inner = wanted[axis].divided_by(ROWS)
    assert inner is not None
    return Tensor(tuple(wanted), axis, ONE, inner)


def _target(wanted: Sequence[Size], found: Tensor) -> Tensor:
    """Return the shape that rows are broadcast to as a tensor, whose rows must be the same."""
    assert found.axis is not None
    axis = len(wanted) - found.rank + found.axis
    if axis < 0 or wanted[axis] != found.sizes[found.axis]:
        raise MixError("repeats the rows")
    if any(size.rows for i, size in enumerate(wanted) if i != axis):
        raise MixError("repeats values by the number of rows")
    return found.like(tuple(wanted), axis)


def _fill(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    value = tensor(arguments[1])
    if value.axis is not None:
        raise MixError("fills with values of the rows")
    if not isinstance(arguments[0], Known):
        if tensor(arguments[0]).axis is not None:
            raise MixError("fills a shape that depends on the rows")
        return Tensor(None)
    shape = tuple(sized(size) for size in known_sizes(arguments[0], "a shape"))
    if not any(size.rows for size in shape):
        return Tensor(shape)
    same_rows(shape)
    axis = next(i for i, size in enumerate(shape) if size.rows)
    inner = shape[axis].divided_by(ROWS)
    assert inner is not None
    return Tensor(shape, axis, ONE, inner)


RULES: dict[str, Callable[[Node, Sequence[AbstractValue]], AbstractValue | list[AbstractValue]]] = {
    "ConcatV2": _concat,
    "Pack": _pack,
    "Pad": _pad,
    "PadV2": _pad,
    "MirrorPad": _pad,
    "Tile": _tile,
    "BroadcastTo": _broadcast_to,
    "Fill": _fill,
}
