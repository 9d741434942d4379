"""Arithmetic with shapes: what graphs compute of sizes before they reshape, tile or loop."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from service.repository.row_independence.abstract_values import Known, known
from service.repository.row_independence.graph import Node
from service.repository.row_independence.symbolic_sizes import Size, UndecidedError, plain, sized

Array = np.ndarray[Any, Any]

_LARGEST = 2**31  # beyond that, whole numbers may wrap; no size is so large
_MOST_ELEMENTS = 256


def fold_constants(node: Node, arguments: Sequence[Known]) -> Known | None:
    """Compute a node's output of whole numbers, booleans and sizes.

    Returns:
        the output; ``None`` where it cannot be known.
    """
    rule = _FOLDS.get(node.op)
    if rule is None:
        return None
    try:
        result = known(rule(node, *(argument.array for argument in arguments)))
    except (ArithmeticError, ValueError, TypeError, IndexError):
        return None
    if result.array.size > _MOST_ELEMENTS:
        return None
    if any(abs(sized(item).factor) >= _LARGEST for item in result.array.flat):
        return None
    return result


def _elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(node: Node, *arrays: Array) -> Array:
        return np.frompyfunc(function, len(arrays), 1)(*arrays)  # type: ignore[no-any-return]

    return apply


def _compare(decide: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(a: int | Size, b: int | Size) -> bool:
        if isinstance(a, Size) or isinstance(b, Size):
            quotient = _ratio(sized(a), sized(b))
            return decide(*quotient)
        return decide(a, b)

    return compare


def _ratio(a: Size, b: Size) -> tuple[int, int]:
    """Return two numbers that compare as the sizes do, whatever their unknowns are."""
    if _is_at_least_its_factor(a) and b.known is not None and b.known < a.factor:
        return a.factor, b.known
    if _is_at_least_its_factor(b) and a.known is not None and a.known < b.factor:
        return a.known, b.factor
    if a.unknowns != b.unknowns:
        raise UndecidedError
    # An unknown other than the rows may be 0, where equality is all that holds of both.
    if a.factor != b.factor and a.rows != len(a.unknowns):
        raise UndecidedError
    return a.factor, b.factor


def _is_at_least_its_factor(size: Size) -> bool:
    return size.factor > 0 and bool(size.unknowns) and size.rows == len(size.unknowns)


def _equal(a: int | Size, b: int | Size) -> bool:
    if sized(a) == sized(b):
        return True
    return _compare(operator.eq)(a, b)


def _extreme(pick: Callable[[int, int], int]) -> Callable[[Any, Any], Any]:
    def extreme(a: int | Size, b: int | Size) -> int | Size:
        if sized(a) == sized(b):
            return a
        first, second = _ratio(sized(a), sized(b))
        return a if pick(first, second) == first else b

    return extreme


def _quotient(a: int | Size, b: int | Size) -> int | Size:
    if isinstance(a, Size) or isinstance(b, Size):
        return sized(a) // b
    return a // b


def _remainder(a: int | Size, b: int | Size) -> int:
    if isinstance(a, Size) or isinstance(b, Size):
        if sized(a).divided_by(b) is None:
            raise UndecidedError
        return 0
    return a % b


def _cast(node: Node, array: Array) -> Array:
    if node.dtype("DstT") not in (3, 9, 10):
        raise UndecidedError
    if node.dtype("DstT") == 10:
        return np.frompyfunc(lambda x: _not_zero(x), 1, 1)(array)  # type: ignore[no-any-return]
    return np.frompyfunc(lambda x: int(x) if isinstance(x, bool) else x, 1, 1)(array)  # type: ignore[no-any-return]


def _not_zero(value: Any) -> bool:
    if isinstance(value, Size):
        raise UndecidedError
    return bool(value)


def _axes(array: Array) -> tuple[int, ...]:
    return tuple(int(axis) for axis in array.reshape(-1))


def _reduce(function: Callable[[Any, Any], Any], start: Any) -> Callable[..., Any]:
    def apply(node: Node, array: Array, axes: Array) -> Array:
        kept = node.flag("keep_dims")
        result: Any = array
        for axis in sorted((a % array.ndim for a in _axes(axes)), reverse=True):
            moved = np.moveaxis(result, axis, 0)
            total = np.full(moved.shape[1:], start, dtype=object)
            for part in moved:
                total = np.asarray(np.frompyfunc(function, 2, 1)(total, part), dtype=object)
            result = np.expand_dims(total, axis) if kept else total
        return np.asarray(result, dtype=object)

    return apply


def _pack(node: Node, *arrays: Array) -> Array:
    return np.stack([np.asarray(a, dtype=object) for a in arrays], axis=node.integer("axis"))


def _concat(node: Node, *arrays: Array) -> Array:
    return np.concatenate(arrays[:-1], axis=int(arrays[-1]))


def _gather(node: Node, params: Array, indices: Array, axis: Array) -> Array:
    if node.integer("batch_dims"):
        raise UndecidedError
    return np.take(params, indices.astype(np.int64), axis=int(axis))


def _range(node: Node, start: Array, limit: Array, delta: Array) -> Array:
    values = [start.item(), limit.item(), delta.item()]
    if any(isinstance(value, Size) for value in values):
        raise UndecidedError
    if abs(values[1] - values[0]) > _MOST_ELEMENTS:
        raise UndecidedError
    return np.array(range(*values), dtype=object)


def _list_diff(node: Node, x: Array, y: Array) -> Array:
    return np.array([item for item in x if item not in list(y)], dtype=object)


def _reshape(node: Node, array: Array, shape: Array) -> Array:
    return array.reshape([int(size) for size in shape])


def _squeeze(node: Node, array: Array) -> Array:
    return np.squeeze(array, tuple(node.integers("squeeze_dims")) or None)


def _strided_slice(node: Node, array: Array, begin: Array, end: Array, strides: Array) -> Array:
    spec: list[Any] = []
    for i, (b, e, s) in enumerate(zip(begin, end, strides, strict=True)):
        bit = 1 << i
        if node.integer("ellipsis_mask") & bit:
            spec.append(Ellipsis)
        elif node.integer("new_axis_mask") & bit:
            spec.append(np.newaxis)
        elif node.integer("shrink_axis_mask") & bit:
            spec.append(int(b))
        else:
            spec.append(
                slice(
                    None if node.integer("begin_mask") & bit else int(b),
                    None if node.integer("end_mask") & bit else int(e),
                    int(s),
                )
            )
    return np.asarray(array[tuple(spec)], dtype=object)


def _slice(node: Node, array: Array, begin: Array, size: Array) -> Array:
    spec = tuple(
        slice(int(b), None if int(s) == -1 else int(b) + int(s))
        for b, s in zip(begin, size, strict=True)
    )
    return array[spec]


def _fill(node: Node, dims: Array, value: Array) -> Array:
    return np.full([int(d) for d in dims], value.item(), dtype=object)


def _tile(node: Node, array: Array, multiples: Array) -> Array:
    return np.tile(array, [int(m) for m in multiples])


def _choose(node: Node, condition: Array, then: Array, other: Array) -> Array:
    pick = np.frompyfunc(lambda c, t, e: t if c else e, 3, 1)
    return pick(condition, then, other)  # type: ignore[no-any-return]


def _invert_permutation(node: Node, array: Array) -> Array:
    return np.argsort(array.astype(np.int64))


def _broadcast_args(node: Node, a: Array, b: Array) -> list[int | Size]:
    result: list[int | Size] = []
    for i in range(1, max(len(a), len(b)) + 1):
        x = sized(a[-i]) if i <= len(a) else Size(1)
        y = sized(b[-i]) if i <= len(b) else Size(1)
        if x.known != 1 and y.known != 1 and x != y:
            raise UndecidedError
        result.insert(0, plain(y if x.known == 1 else x))
    return result


_FOLDS: Mapping[str, Callable[..., Any]] = {
    "Identity": lambda node, array: array,
    "StopGradient": lambda node, array: array,
    "Add": _elementwise(operator.add),
    "AddV2": _elementwise(operator.add),
    "Sub": _elementwise(operator.sub),
    "Mul": _elementwise(operator.mul),
    "FloorDiv": _elementwise(_quotient),
    "FloorMod": _elementwise(_remainder),
    "Neg": _elementwise(operator.neg),
    "Maximum": _elementwise(_extreme(max)),
    "Minimum": _elementwise(_extreme(min)),
    "Equal": _elementwise(_equal),
    "NotEqual": _elementwise(lambda a, b: not _equal(a, b)),
    "Less": _elementwise(_compare(operator.lt)),
    "LessEqual": _elementwise(_compare(operator.le)),
    "Greater": _elementwise(_compare(operator.gt)),
    "GreaterEqual": _elementwise(_compare(operator.ge)),
    "LogicalAnd": _elementwise(lambda a, b: a and b),
    "LogicalOr": _elementwise(lambda a, b: a or b),
    "LogicalNot": _elementwise(operator.not_),
    "Cast": _cast,
    "Pack": _pack,
    "ConcatV2": _concat,
    "GatherV2": _gather,
    "Range": _range,
    "ListDiff": _list_diff,
    "Prod": _reduce(operator.mul, 1),
    "Sum": _reduce(operator.add, 0),
    "All": _reduce(lambda a, b: a and b, True),
    "Any": _reduce(lambda a, b: a or b, False),
    "Reshape": _reshape,
    "ExpandDims": lambda node, array, axis: np.expand_dims(array, int(axis)),
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Slice": _slice,
    "Fill": _fill,
    "Tile": _tile,
    "Select": _choose,
    "SelectV2": _choose,
    "InvertPermutation": _invert_permutation,
    "BroadcastArgs": _broadcast_args,
    "OnesLike": lambda node, array: np.full(array.shape, 1, dtype=object),
    "ZerosLike": lambda node, array: np.full(array.shape, 0, dtype=object),
}
