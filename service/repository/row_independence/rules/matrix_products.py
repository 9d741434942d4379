"""Products of matrices."""

from collections.abc import Callable, Sequence

from service.repository.row_independence.abstract_values import AbstractValue, MixError, Tensor
from service.repository.row_independence.graph import Node
from service.repository.row_independence.rules.rule_helpers import broadcast, one_axis, tensor
from service.repository.row_independence.symbolic_sizes import Size


def _mat_mul(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    return _product(
        tensor(arguments[0]),
        tensor(arguments[1]),
        node.flag("transpose_a"),
        node.flag("transpose_b"),
    )


def _batch_mat_mul(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    left, right = map(tensor, arguments)
    return _product(left, right, node.flag("adj_x"), node.flag("adj_y"))


def _product(left: Tensor, right: Tensor, turn_left: bool, turn_right: bool) -> Tensor:
    """Multiply the last two dimensions; those before are broadcast."""
    if left.rank < 2 or right.rank < 2:
        raise MixError("multiplies tensors that are not matrices")
    left, right = _turned(left, turn_left), _turned(right, turn_right)
    if left.axis == left.rank - 1 or right.axis == right.rank - 2:
        raise MixError("sums over the rows")
    height, width = left.sizes[-2], right.sizes[-1]
    across = left.axis == left.rank - 2, right.axis == right.rank - 1
    if any(across):
        if left.axis is not None and right.axis is not None:
            raise MixError("multiplies rows with other rows")
        before = broadcast([_stacked(left, rows=False), _stacked(right, rows=False)])
        shape = (*before.sizes, height, width)
        found = left if across[0] else right
        return found.like(shape, len(shape) - (2 if across[0] else 1))
    before = broadcast([_stacked(left), _stacked(right)])
    return Tensor((*before.sizes, height, width), before.axis, before.outer, before.inner)


def _turned(found: Tensor, turn: bool) -> Tensor:
    if not turn:
        return found
    shape = (*found.sizes[:-2], found.sizes[-1], found.sizes[-2])
    last = {found.rank - 1: found.rank - 2, found.rank - 2: found.rank - 1}
    axis = None if found.axis is None else last.get(found.axis, found.axis)
    return Tensor(shape, axis, found.outer, found.inner)


def _stacked(found: Tensor, *, rows: bool = True) -> Tensor:
    shape = found.sizes[:-2]
    if not rows or found.axis is None:
        return Tensor(shape)
    return Tensor(shape, found.axis, found.outer, found.inner)


def _einsum(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    equation = node.text("equation").replace(" ", "")
    if "->" not in equation:
        raise MixError("has an equation that cannot be followed")
    left, result = equation.split("->")
    tensors = [tensor(argument) for argument in arguments]
    terms = left.split(",")
    if len(terms) != len(tensors):
        raise MixError("has an equation that cannot be followed")
    spelled = [_spelled(term, found.rank) for term, found in zip(terms, tensors, strict=True)]
    dots = max((sum(len(label) > 1 for label in term) for term in spelled), default=0)
    output = _spelled(result, len(result.replace("...", "")) + dots if "..." in result else None)
    of_rows = {
        term[found.axis]
        for term, found in zip(spelled, tensors, strict=True)
        if found.axis is not None
    }
    sizes = _label_sizes(spelled, tensors)
    if not of_rows:
        return Tensor(tuple(sizes[label] for label in output))
    if len(of_rows) > 1:
        raise MixError("multiplies rows with other rows")
    (label,) = of_rows
    rows = one_axis(tensors, [None if found.axis is None else 0 for found in tensors])
    assert rows is not None
    for term, found in zip(spelled, tensors, strict=True):
        if term.count(label) > (found.axis is not None):
            raise MixError("combines the rows with values by their position")
    if output.count(label) != 1:
        raise MixError("sums over the rows")
    return rows.like(tuple(sizes[each] for each in output), output.index(label))


def _spelled(term: str, rank: int | None) -> list[str]:
    """Return the labels of a term's dimensions; those of an ellipsis are counted from the end."""
    before, dots, after = term.partition("...")
    if not dots:
        if rank is not None and len(before) != rank:
            raise MixError("has an equation that cannot be followed")
        return list(before)
    assert rank is not None
    count = rank - len(before) - len(after)
    return [*before, *(f".{i}" for i in range(count, 0, -1)), *after]


def _label_sizes(terms: Sequence[Sequence[str]], tensors: Sequence[Tensor]) -> dict[str, Size]:
    found: dict[str, Size] = {}
    for term, each in zip(terms, tensors, strict=True):
        for label, size in zip(term, each.sizes, strict=True):
            if (
                label not in found
                or found[label].known is None
                or size.rows
                or (label.startswith(".") and found[label].known == 1)
            ):
                found[label] = size
    return found


RULES: dict[str, Callable[[Node, Sequence[AbstractValue]], AbstractValue | list[AbstractValue]]] = {
    "MatMul": _mat_mul,
    **dict.fromkeys(["BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"], _batch_mat_mul),
    "Einsum": _einsum,
}
