"""Operations that take a part of a tensor: slices, and what is divided or taken apart."""

from collections.abc import Callable, Sequence

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Known,
    MixError,
    Tensor,
)
from service.repository.row_independence.graph import Node
from service.repository.row_independence.rules.rule_helpers import (
    axis_in,
    known_integers,
    refuse_rows_at,
    tensor,
    total,
)
from service.repository.row_independence.symbolic_sizes import ONE, ROWS, Size, sized, unknown


def _unpack(node: Node, arguments: Sequence[AbstractValue]) -> list[AbstractValue]:
    found = tensor(arguments[0])
    axis = axis_in(node.integer("axis"), found.rank)
    refuse_rows_at(found, [axis], "takes apart")
    shape = (*found.sizes[:axis], *found.sizes[axis + 1 :])
    part: AbstractValue = Tensor(shape)
    if found.axis is not None:
        part = found.like(shape, found.axis - (axis < found.axis))
    return [part] * node.integer("num")


def _split(node: Node, arguments: Sequence[AbstractValue]) -> list[AbstractValue]:
    (axis,) = known_integers(arguments[0], "axes")
    found = tensor(arguments[1])
    axis, count = axis_in(axis, found.rank), node.integer("num_split")
    size = found.sizes[axis].divided_by(count)
    if axis == found.axis:
        outer = found.outer.divided_by(count)
        if outer is None or size is None:
            raise MixError("divides the rows")
        shape = (*found.sizes[:axis], size, *found.sizes[axis + 1 :])
        return [Tensor(shape, axis, outer, found.inner)] * count
    shape = (*found.sizes[:axis], size or unknown(), *found.sizes[axis + 1 :])
    return [Tensor(shape, found.axis, found.outer, found.inner)] * count


def _split_v(node: Node, arguments: Sequence[AbstractValue]) -> list[AbstractValue]:
    found = tensor(arguments[0])
    (axis,) = known_integers(arguments[2], "axes")
    axis, count = axis_in(axis, found.rank), node.integer("num_split")
    refuse_rows_at(found, [axis], "divides")
    parts = known_integers(arguments[1], "sizes")
    return [
        Tensor(
            (*found.sizes[:axis], unknown() if part < 0 else sized(part), *found.sizes[axis + 1 :]),
            found.axis,
            found.outer,
            found.inner,
        )
        for part in parts[:count]
    ]


def _strided_slice(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    begin, end = (_bounds(argument) for argument in arguments[1:3])
    strides = known_integers(arguments[3], "strides")
    count = len(strides)
    masks = {
        name: node.integer(f"{name}_mask")
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    taken = sum(not (masks["new_axis"] | masks["ellipsis"]) >> i & 1 for i in range(count))
    shape: list[Size] = []
    position, axis, outer = 0, None, found.outer
    has_ellipsis = bool(masks["ellipsis"])
    for i in range(count):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            for _ in range(found.rank - taken):
                if position == found.axis:
                    axis = len(shape)
                shape.append(found.sizes[position])
                position += 1
            continue
        if masks["new_axis"] & bit:
            shape.append(ONE)
            continue
        if position >= found.rank:
            raise MixError("slices dimensions that are not there")
        size = found.sizes[position]
        b = None if masks["begin"] & bit else begin[i] if begin else unknown()
        e = None if masks["end"] & bit else end[i] if end else unknown()
        if masks["shrink_axis"] & bit:
            if position == found.axis:
                raise MixError("takes rows by their position")
        elif position == found.axis:
            axis = len(shape)
            outer = _kept_rows(found, b, e, strides[i])
            shape.append(outer * ROWS * found.inner)
        else:
            shape.append(_sliced(size, b, e, strides[i]))
        position += 1
    for rest in range(position, found.rank):
        if has_ellipsis:
            raise MixError("slices in a way that cannot be followed")
        if rest == found.axis:
            axis = len(shape)
        shape.append(found.sizes[rest])
    if found.axis is None:
        return Tensor(tuple(shape))
    if axis is None:
        raise MixError("takes rows by their position")
    return Tensor(tuple(shape), axis, outer, found.inner)


def _bounds(value: AbstractValue) -> list[int | Size] | None:
    if isinstance(value, Known):
        return list(value.array.reshape(-1))
    if tensor(value).axis is not None:
        raise MixError("slices at positions that depend on the rows")
    return None


def _kept_rows(found: Tensor, begin: int | Size | None, end: int | Size | None, step: int) -> Size:
    """Return how many times all rows remain of a slice along their dimension."""
    if step == 1:
        if begin in (None, 0) and end is None:
            return found.outer
        whole = ROWS * found.inner
        first = sized(0) if begin in (None, 0) else sized(begin or 0).divided_by(whole)
        last = found.outer if end is None else sized(end).divided_by(whole)
        if first and last and first.known is not None and last.known is not None:
            most = found.outer.known
            if most is not None and 0 <= first.known < last.known <= most:
                return Size(last.known - first.known)
        if begin in (None, 0) and last == found.outer:
            return found.outer
    raise MixError("takes rows by their position")


def _sliced(size: Size, begin: int | Size | None, end: int | Size | None, step: int) -> Size:
    if begin in (None, 0) and step == 1 and (end is None or sized(end) == size):
        return size
    known_size = size.known
    if known_size is None or isinstance(begin, Size) or isinstance(end, Size) or not step:
        if any(isinstance(bound, Size) and bound.rows for bound in (begin, end)):
            raise MixError("slices by the number of rows")
        return unknown()
    return Size(len(range(*slice(begin, end, step).indices(known_size))))


def _slice(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    begin, size = (_bounds(argument) for argument in arguments[1:3])
    shape = []
    for i, own in enumerate(found.sizes):
        b, s = (begin[i] if begin else unknown()), (size[i] if size else unknown())
        if i == found.axis:
            if b != 0 or not (s == -1 or sized(s) == own):
                raise MixError("takes rows by their position")
            shape.append(own)
        elif any(isinstance(bound, Size) and bound.rows for bound in (b, s)):
            raise MixError("slices by the number of rows")
        elif s == -1:
            shape.append(
                own if b == 0 else total([own, -b]) if own.known is not None else unknown()
            )
        else:
            shape.append(sized(s))
    return Tensor(tuple(shape), found.axis, found.outer, found.inner)


RULES: dict[str, Callable[[Node, Sequence[AbstractValue]], AbstractValue | list[AbstractValue]]] = {
    "Unpack": _unpack,
    "Split": _split,
    "SplitV": _split_v,
    "StridedSlice": _strided_slice,
    "Slice": _slice,
}
