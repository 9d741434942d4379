"""Operations that move values: reshapes, transposes, slices, concatenations."""

from collections.abc import Callable, Sequence

from service.repository.independence.abstract_values import (
    Known,
    MixError,
    Shape,
    Tensor,
    Value,
    known,
    known_shape,
)
from service.repository.independence.graph import Node
from service.repository.independence.rules.common import (
    axis_in,
    broadcast,
    integers,
    one_axis,
    refuse_rows_at,
    same_rows,
    sizes,
    tensor,
    total,
)
from service.repository.independence.symbolic_sizes import ONE, ROWS, Size, product, sized, unknown


def _shape(node: Node, arguments: Sequence[Value]) -> Value:
    return known_shape(_sizes_of(arguments[0]))


def _shape_n(node: Node, arguments: Sequence[Value]) -> list[Value]:
    return [known_shape(_sizes_of(argument)) for argument in arguments]


def _rank(node: Node, arguments: Sequence[Value]) -> Value:
    return known(len(_sizes_of(arguments[0])))


def _size(node: Node, arguments: Sequence[Value]) -> Value:
    return known(product(_sizes_of(arguments[0])))


def _sizes_of(value: Value) -> Shape:
    if isinstance(value, Known):
        return tuple(sized(n) for n in value.array.shape)
    return tensor(value).sizes


def _reshape(node: Node, arguments: Sequence[Value]) -> Value:
    found, wanted = tensor(arguments[0]), sizes(arguments[1], "a shape")
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
            raise MixError("reshapes what has no rows by their number")
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


def _transpose(node: Node, arguments: Sequence[Value]) -> Value:
    found, order = tensor(arguments[0]), integers(arguments[1], "axes")
    order = [axis_in(axis, found.rank) for axis in order]
    if sorted(order) != list(range(found.rank)):
        raise MixError("transposes dimensions that are not there")
    shape = tuple(found.sizes[axis] for axis in order)
    return Tensor(shape) if found.axis is None else found.like(shape, order.index(found.axis))


def _expand_dims(node: Node, arguments: Sequence[Value]) -> Value:
    found = tensor(arguments[0])
    (axis,) = integers(arguments[1], "axes")
    axis = axis_in(axis, found.rank + 1)
    shape = (*found.sizes[:axis], ONE, *found.sizes[axis:])
    if found.axis is None:
        return Tensor(shape)
    return found.like(shape, found.axis + (axis <= found.axis))


def _squeeze(node: Node, arguments: Sequence[Value]) -> Value:
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


def _concat(node: Node, arguments: Sequence[Value]) -> Value:
    tensors = [tensor(argument) for argument in arguments[:-1]]
    rank = tensors[0].rank
    (axis,) = integers(arguments[-1], "axes")
    axis = axis_in(axis, rank)
    if any(found.rank != rank for found in tensors):
        raise MixError("joins tensors of different ranks")
    shape = list(broadcast_free(tensors, axis))
    shape[axis] = total([found.sizes[axis] for found in tensors])
    if all(found.axis is None for found in tensors):
        return Tensor(tuple(shape))
    if any(found.axis is None for found in tensors):
        raise MixError("joins the rows with values that have none")
    first = tensors[0]
    if any(found.axis != first.axis or found.inner != first.inner for found in tensors):
        raise MixError("brings different rows together")
    assert first.axis is not None
    if axis != first.axis:
        one_axis(tensors, [found.axis for found in tensors])
        return first.like(tuple(shape), first.axis)
    # All rows, and then all rows again: each position is still of one row.
    outer = total([found.outer for found in tensors])
    shape[axis] = outer * ROWS * first.inner
    return Tensor(tuple(shape), axis, outer, first.inner)


def broadcast_free(tensors: Sequence[Tensor], axis: int) -> Shape:
    """Return the sizes that tensors share in all dimensions but ``axis``."""
    shape = []
    for position in range(tensors[0].rank):
        here = [found.sizes[position] for found in tensors]
        fitting = [size for size in here if size.known is not None] or here
        same = len(set(here)) == 1 or position == axis
        shape.append(here[0] if same else fitting[0])
    return tuple(shape)


def _pack(node: Node, arguments: Sequence[Value]) -> Value:
    tensors = [tensor(argument) for argument in arguments]
    if len({found.rank for found in tensors}) != 1:
        raise MixError("stacks tensors of different ranks")
    rows = one_axis(tensors, [found.axis for found in tensors])
    if rows is not None and any(found.axis is None for found in tensors):
        raise MixError("stacks the rows with values that have none")
    axis = axis_in(node.integer("axis"), tensors[0].rank + 1)
    shape = broadcast_free(tensors, -1)
    shape = (*shape[:axis], sized(len(tensors)), *shape[axis:])
    if rows is None or rows.axis is None:
        return Tensor(shape)
    return rows.like(shape, rows.axis + (axis <= rows.axis))


def _unpack(node: Node, arguments: Sequence[Value]) -> list[Value]:
    found = tensor(arguments[0])
    axis = axis_in(node.integer("axis"), found.rank)
    refuse_rows_at(found, [axis], "takes apart")
    shape = (*found.sizes[:axis], *found.sizes[axis + 1 :])
    part: Value = Tensor(shape)
    if found.axis is not None:
        part = found.like(shape, found.axis - (axis < found.axis))
    return [part] * node.integer("num")


def _split(node: Node, arguments: Sequence[Value]) -> list[Value]:
    (axis,) = integers(arguments[0], "axes")
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


def _split_v(node: Node, arguments: Sequence[Value]) -> list[Value]:
    found = tensor(arguments[0])
    (axis,) = integers(arguments[2], "axes")
    axis, count = axis_in(axis, found.rank), node.integer("num_split")
    refuse_rows_at(found, [axis], "divides")
    parts = integers(arguments[1], "sizes")
    return [
        Tensor(
            (*found.sizes[:axis], unknown() if part < 0 else sized(part), *found.sizes[axis + 1 :]),
            found.axis,
            found.outer,
            found.inner,
        )
        for part in parts[:count]
    ]


def _strided_slice(node: Node, arguments: Sequence[Value]) -> Value:
    found = tensor(arguments[0])
    begin, end = (_bounds(argument) for argument in arguments[1:3])
    strides = integers(arguments[3], "strides")
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


def _bounds(value: Value) -> list[int | Size] | None:
    if isinstance(value, Known):
        return list(value.array.reshape(-1))
    if tensor(value).axis is not None:
        raise MixError("slices where the rows say")
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


def _slice(node: Node, arguments: Sequence[Value]) -> Value:
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


def _pad(node: Node, arguments: Sequence[Value]) -> Value:
    found = tensor(arguments[0])
    for other in arguments[2:]:
        if tensor(other).axis is not None:
            raise MixError("pads with what the rows say")
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


def _tile(node: Node, arguments: Sequence[Value]) -> Value:
    found, multiples = tensor(arguments[0]), sizes(arguments[1], "multiples")
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


def _broadcast_to(node: Node, arguments: Sequence[Value]) -> Value:
    found, wanted = tensor(arguments[0]), [sized(s) for s in sizes(arguments[1], "a shape")]
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


def _fill(node: Node, arguments: Sequence[Value]) -> Value:
    value = tensor(arguments[1])
    if value.axis is not None:
        raise MixError("fills with what the rows say")
    if not isinstance(arguments[0], Known):
        if tensor(arguments[0]).axis is not None:
            raise MixError("fills a shape that the rows say")
        return Tensor(None)
    shape = tuple(sized(size) for size in sizes(arguments[0], "a shape"))
    if not any(size.rows for size in shape):
        return Tensor(shape)
    same_rows(shape)
    axis = next(i for i, size in enumerate(shape) if size.rows)
    inner = shape[axis].divided_by(ROWS)
    assert inner is not None
    return Tensor(shape, axis, ONE, inner)


def _ensure_shape(node: Node, arguments: Sequence[Value]) -> Value:
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


RULES: dict[str, Callable[[Node, Sequence[Value]], Value | list[Value]]] = {
    "Shape": _shape,
    "ShapeN": _shape_n,
    "Rank": _rank,
    "Size": _size,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "ExpandDims": _expand_dims,
    "Squeeze": _squeeze,
    "ConcatV2": _concat,
    "Pack": _pack,
    "Unpack": _unpack,
    "Split": _split,
    "SplitV": _split_v,
    "StridedSlice": _strided_slice,
    "Slice": _slice,
    "Pad": _pad,
    "PadV2": _pad,
    "MirrorPad": _pad,
    "Tile": _tile,
    "BroadcastTo": _broadcast_to,
    "Fill": _fill,
    "EnsureShape": _ensure_shape,
}
