"""What the rules share."""

from collections.abc import Sequence

from service.repository.row_independence.abstract_values import (
    AbstractValue,
    Known,
    MixError,
    Shape,
    Tensor,
    as_tensor,
)
from service.repository.row_independence.symbolic_sizes import ONE, ROWS, Size, sized, unknown


def known_integers(value: AbstractValue, what: str) -> list[int]:
    """Return the known whole numbers of an argument such as axes.

    Raises:
        MixError: they are not known.
    """
    if not isinstance(value, Known) or value.includes_row_count:
        raise MixError(f"has {what} that are not known beforehand")
    flat = list(value.array.reshape(-1))
    if not all(isinstance(item, int) for item in flat):
        raise MixError(f"has {what} that are not known beforehand")
    return [int(item) for item in flat]


def known_sizes(value: AbstractValue, what: str) -> list[int | Size]:
    """Return the known sizes of an argument such as a shape; -1 among them stays.

    Raises:
        MixError: they are not known.
    """
    if not isinstance(value, Known):
        raise MixError(f"has {what} that is not known beforehand")
    return list(value.array.reshape(-1))


def axis_in(axis: int, rank: int) -> int:
    """Return an axis counted from the front.

    Raises:
        MixError: there is none such.
    """
    if not -rank <= axis < rank:
        raise MixError("names a dimension that is not there")
    return axis % rank


def refuse_rows_at(tensor: Tensor, axes: Sequence[int], what: str) -> None:
    """Raise where one of ``axes`` is that of the rows."""
    if tensor.axis is not None and tensor.axis in axes:
        raise MixError(f"{what} the rows")


def one_axis(tensors: Sequence[Tensor], axes: Sequence[int | None]) -> Tensor | None:
    """Return one of the tensors that hold rows, if all of them hold them alike.

    Args:
        tensors: the tensors.
        axes: where each holds its rows, counted so that they can be compared.

    Returns:
        the first that holds rows; ``None`` where none does.

    Raises:
        MixError: they hold their rows along different dimensions or in different orders.
    """
    first: Tensor | None = None
    place: int | None = None
    for tensor, axis in zip(tensors, axes, strict=True):
        if tensor.axis is None:
            continue
        if first is None:
            first, place = tensor, axis
        elif axis != place or (tensor.outer, tensor.inner) != (first.outer, first.inner):
            raise MixError("combines different rows")
    return first


def broadcast(tensors: Sequence[Tensor]) -> Tensor:
    """Return what tensors give that are combined value by value, as numpy broadcasts.

    Raises:
        MixError: values of different rows meet.
    """
    ranks = [tensor.rank for tensor in tensors]
    rank = max(ranks)
    axes = [
        None if tensor.axis is None else rank - own + tensor.axis
        for tensor, own in zip(tensors, ranks, strict=True)
    ]
    rows = one_axis(tensors, axes)
    axis = next((a for a in axes if a is not None), None)
    shape = []
    for position in range(rank):
        here = [
            (tensor, tensor.sizes[position - rank + own])
            for tensor, own in zip(tensors, ranks, strict=True)
            if position - rank + own >= 0
        ]
        if rows is not None and position == axis:
            for tensor, size in here:
                if tensor.axis is None and size != ONE:
                    raise MixError("combines the rows with values by their position")
            shape.append(rows.outer * ROWS * rows.inner)
            continue
        shape.append(_common([size for _, size in here]))
    return Tensor(tuple(shape)) if rows is None else rows.like(tuple(shape), axis or 0)


def _common(found: Sequence[Size]) -> Size:
    different = {size for size in found if size != ONE}
    if not different:
        return ONE
    numbers = {size for size in different if size.known is not None}
    if len(different) == 1:
        return different.pop()
    # What is known beats what is not: the operation fails, or it is that size.
    return numbers.pop() if len(numbers) == 1 else unknown()


def total(found: Sequence[int | Size]) -> Size:
    """Return a sum of sizes, an unknown size where it is not known."""
    result: int | Size = 0
    try:
        for size in found:
            result = sized(result) + size
    except ArithmeticError:
        return unknown()
    return sized(result)


def tensor(value: AbstractValue) -> Tensor:
    return as_tensor(value)


def same_rows(found: Shape) -> None:
    """Raise where a shape that is made of nothing holds the number of rows in an odd way."""
    if sum(size.rows for size in found) != 1:
        raise MixError("makes a shape of the number of rows in more than one dimension")
