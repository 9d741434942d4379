"""Operations along dimensions: reductions, softmax, sums that run."""

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
)
from service.repository.row_independence.symbolic_sizes import ONE, Size, sized, unknown


def without(found: Tensor, axes: Sequence[int], *, kept: bool = False) -> Tensor:
    """Return a tensor whose ``axes`` are reduced; they must not be those of the rows."""
    refuse_rows_at(found, axes, "reduces over")
    if kept:
        return Tensor(
            tuple(ONE if i in axes else size for i, size in enumerate(found.sizes)),
            found.axis,
            found.outer,
            found.inner,
        )
    shape = tuple(size for i, size in enumerate(found.sizes) if i not in axes)
    if found.axis is None:
        return Tensor(shape)
    return found.like(shape, found.axis - sum(axis < found.axis for axis in axes))


def _reduce(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    axes = {axis_in(axis, found.rank) for axis in known_integers(arguments[1], "axes")}
    return without(found, sorted(axes), kept=node.flag("keep_dims"))


def _arg(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    (axis,) = known_integers(arguments[1], "axes")
    return without(found, [axis_in(axis, found.rank)])


def _along_last(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    refuse_rows_at(found, [found.rank - 1], "normalises over")
    return found


def _running(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    axes = [axis_in(axis, found.rank) for axis in known_integers(arguments[1], "axes")]
    refuse_rows_at(found, axes, "runs along")
    return found


def _band(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    """Zeros beside the diagonal of each matrix: what stays is said by the last two positions."""
    found = tensor(arguments[0])
    refuse_rows_at(found, [found.rank - 2, found.rank - 1], "keeps a band of")
    if any(tensor(other).axis is not None for other in arguments[1:]):
        raise MixError("keeps a band that depends on the rows")
    return found


def _roll(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found = tensor(arguments[0])
    axes = [axis_in(axis, found.rank) for axis in known_integers(arguments[2], "axes")]
    refuse_rows_at(found, axes, "rolls")
    if tensor(arguments[1]).axis is not None:
        raise MixError("rolls by values of the rows")
    return found


def _reverse_sequence(node: Node, arguments: Sequence[AbstractValue]) -> AbstractValue:
    found, lengths = map(tensor, arguments)
    rank = found.rank
    of_lengths = axis_in(node.integer("batch_dim"), rank)
    refuse_rows_at(found, [axis_in(node.integer("seq_dim"), rank)], "reverses")
    if lengths.axis is not None and (
        found.axis != of_lengths or (found.outer, found.inner) != (lengths.outer, lengths.inner)
    ):
        raise MixError("reverses by the lengths of other rows")
    if lengths.axis is None and found.axis == of_lengths:
        raise MixError("reverses rows by their position")
    return found


def _top_k(node: Node, arguments: Sequence[AbstractValue]) -> list[AbstractValue]:
    found = tensor(arguments[0])
    refuse_rows_at(found, [found.rank - 1], "sorts")
    last: Size = unknown()
    if isinstance(arguments[1], Known) and not arguments[1].includes_row_count:
        last = sized(arguments[1].array.item())
    elif tensor(arguments[1]).axis is not None:
        raise MixError("takes a number of values that depends on the rows")
    result = Tensor((*found.sizes[:-1], last), found.axis, found.outer, found.inner)
    return [result, result]


RULES: dict[str, Callable[[Node, Sequence[AbstractValue]], AbstractValue | list[AbstractValue]]] = {
    **dict.fromkeys(
        ["Sum", "Mean", "Max", "Min", "Prod", "All", "Any", "EuclideanNorm", "ReduceJoin"], _reduce
    ),
    **dict.fromkeys(["ArgMax", "ArgMin"], _arg),
    **dict.fromkeys(["Softmax", "LogSoftmax"], _along_last),
    **dict.fromkeys(["Cumsum", "Cumprod", "CumulativeLogsumexp", "ReverseV2"], _running),
    "MatrixBandPart": _band,
    "Roll": _roll,
    "ReverseSequence": _reverse_sequence,
    "TopKV2": _top_k,
}
