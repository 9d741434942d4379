"""Operations that give a tensor another shape, and those that ask for its shape."""

from collections.abc import Callable, Sequence

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Known,
    MixError,
    Shape,
    Tensor,
    known,
    known_shape,
)
from service.repository.row_independence.graph import Node
from service.repository.row_independence.rules.rule_helpers import (
    axis_in,
    known_integers,
    known_sizes,
    refuse_rows_at,
    tensor,
)
from service.repository.row_independence.symbolic_sizes import (
    ONE,
    ROWS,
    Size,
    product,
    sized,
    unknown,
)


def _shape(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    return known_shape(_sizes_of(arguments[0]))


def _shape_n(node: Node, arguments: Sequence[AbstractValue]) -> list[AbstractValue]:
    return [known_shape(_sizes_of(argument)) for argument in arguments]


def _rank(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    return known(len(_sizes_of(arguments[0])))


def _size(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    return known(product(_sizes_of(arguments[0])))


def _sizes_of(value: AbstractValue) -> Shape:
    if isinstance(value, Known):
        return tuple(sized(n) for n in value.array.shape)
    return tensor(value).sizes


def _reshape(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, wanted = tensor(arguments[0]), known_sizes(arguments[1], "a shape")
    if found.axis is None and found.shape is None:
        if any(size == -1 or sized(size).rows for size in wanted):
            raise MixError("reshapes a tensor of unknown shape")
        return Tensor(tuple(sized(size) for size in wanted))
    every = product(found.sizes)
    rest = product(size for size in wanted if size != -1)
    missing: Size | None = ONE
    if -1 in wanted:
        missing = every.divided_by(rest)
        if missing is None:
            if found.axis is not None or rest.rows:
                raise MixError("reshapes the rows to a shape that cannot be followed")
            missing = unknown()
    assert missing is not None
    shape = tuple(missing if size == -1 else sized(size) for size in wanted)
    if found.axis is None:
        if any(size.rows for size in shape):
            raise MixError("reshapes values without rows by the number of rows")
        return Tensor(shape)
    return _with_rows(shape, found.before, every)


def _with_rows(shape: Shape, before: Size, every: Size) -> Tensor:
    """Return rows in a new shape, in which ``before`` positions of a row lie before the rows."""
    if product(shape) != every or sum(size.rows for size in shape) != 1:
        raise MixError("reshapes the rows to a shape that cannot be followed")
    axis = next(i for i, size in enumerate(shape) if size.rows)
    outer = before.divided_by(product(shape[:axis]))
    inner = shape[axis].divided_by(outer * ROWS) if outer is not None else None
    if outer is None or inner is None:
        raise MixError("reshapes values of different rows into one")
    return Tensor(shape, axis, outer, inner)


def _transpose(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, order = tensor(arguments[0]), known_integers(arguments[1], "axes")
    order = [axis_in(axis, found.rank) for axis in order]
    if sorted(order) != list(range(found.rank)):
        raise MixError("transposes dimensions that are not there")
    shape = tuple(found.sizes[axis] for axis in order)
    return Tensor(shape) if found.axis is None else found.like(shape, order.index(found.axis))


def _expand_dims(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    (axis,) = known_integers(arguments[1], "axes")
    axis = axis_in(axis, found.rank + 1)
    shape = (*found.sizes[:axis], ONE, *found.sizes[axis:])
    if found.axis is None:
        return Tensor(shape)
    return found.like(shape, found.axis + (axis <= found.axis))


def _squeeze(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    axes = [axis_in(axis, found.rank) for axis in node.integers("squeeze_dims")]
    if not axes:
        if any(size.known is None for size in found.sizes):
            raise MixError("drops whichever dimensions are 1")
        axes = [i for i, size in enumerate(found.sizes) if size == ONE]
    refuse_rows_at(found, axes, "drops the dimension of")
    shape = tuple(size for i, size in enumerate(found.sizes) if i not in axes)
    if found.axis is None:
        return Tensor(shape)
    return found.like(shape, found.axis - sum(axis < found.axis for axis in axes))


def _ensure_shape(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, told = tensor(arguments[0]), node.shape("shape")
    if told is None:
        return found
    if found.shape is None:
        return Tensor(told)
    if len(told) != found.rank:
        raise MixError("expects another rank")
    shape = tuple(
        own if i == found.axis or new.known is None or own.known is not None else new
        for i, (own, new) in enumerate(zip(found.shape, told, strict=True))
    )
    return Tensor(shape, found.axis, found.outer, found.inner)


RULES: dict[str, Callable[[Node, Sequence[AbstractValue]], AbstractValue | list[AbstractValue]]] = {
    "Shape": _shape,
    "ShapeN": _shape_n,
    "Rank": _rank,
    "Size": _size,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "ExpandDims": _expand_dims,
    "Squeeze": _squeeze,
    "EnsureShape": _ensure_shape,
}
