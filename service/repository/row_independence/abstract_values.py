"""What the analysis knows of a tensor: whether, and along which dimension, rows are kept apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.repository.row_independence.symbolic_sizes import (
    ONE,
    ROWS,
    Size,
    plain,
    product,
    sized,
)

Shape = tuple[Size, ...]


class MixError(Exception):
    """An operation mixes rows, or is not known to keep them apart; the message says why."""


@dataclass(frozen=True, slots=True)
class AbstractValue:
    """Any abstract value."""


@dataclass(frozen=True, slots=True)
class Mixed(AbstractValue):
    """It may depend on several rows, on their number or their order."""

    reason: str


@dataclass(frozen=True, slots=True)
class Tensor(AbstractValue):
    """A tensor that does not depend on the rows at all, or that holds them along one dimension.

    Attributes:
        shape: its sizes; ``None`` where not even their number is known (never of rows).
        axis: the dimension of the rows; ``None`` where it depends on none.
        outer: in the size ``outer * ROWS * inner`` of that dimension, how many times all rows
            come after one another;
        inner: and how many positions each row has there in a stretch.

    What is at the positions of a row depends on that row, and on where in ``outer``, ``inner`` and
    the other dimensions it is; on nothing else.
    """

    shape: Shape | None
    axis: int | None = None
    outer: Size = ONE
    inner: Size = ONE

    @property
    def rank(self) -> int:
        if self.shape is None:
            raise MixError("takes a tensor of unknown rank")
        return len(self.shape)

    @property
    def sizes(self) -> Shape:
        if self.shape is None:
            raise MixError("takes a tensor of unknown shape")
        return self.shape

    @property
    def before(self) -> Size:
        """How many positions of each row's stretch lie before the rows, row-major."""
        assert self.axis is not None
        return product(self.sizes[: self.axis]) * self.outer

    def like(self, shape: Shape, axis: int) -> Tensor:
        """Return rows that lie elsewhere."""
        return Tensor(shape, axis, self.outer, self.inner)


@dataclass(frozen=True, slots=True, eq=False)
class Known(AbstractValue):
    """A small tensor of whole numbers or booleans that are known; sizes may be among them."""

    array: npt.NDArray[Any]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Known)
            and self.array.shape == other.array.shape
            and all(a == b for a, b in zip(self.array.flat, other.array.flat, strict=True))
        )

    def __hash__(self) -> int:
        return hash(self.array.shape)

    @property
    def includes_row_count(self) -> bool:
        """Whether some value depends on the number of rows."""
        return any(isinstance(item, Size) and item.rows for item in self.array.flat)


@dataclass(frozen=True, slots=True)
class Item(AbstractValue):
    """Within a loop over the rows: it depends on the row whose turn it is."""

    shape: Shape | None


@dataclass(frozen=True, slots=True)
class Turn(AbstractValue):
    """Within a loop over the rows: which row's turn it is, plus ``ahead``."""

    ahead: int = 0


@dataclass(frozen=True, slots=True)
class RowsLeft(AbstractValue):
    """Whether the loop over the rows has more of them."""


@dataclass(frozen=True, slots=True)
class TensorList(AbstractValue):
    """A list of tensors whose length does not depend on the rows; each is an ``element``."""

    element: AbstractValue | None
    length: Size


@dataclass(frozen=True, slots=True)
class RowList(AbstractValue):
    """A list with an element for each row, which depends on that row; ``None`` as yet unset."""

    element: Item | None


@dataclass(frozen=True, slots=True)
class VariableHandle(AbstractValue):
    """A handle of a variable."""

    shape: Shape | None


def known(values: Any) -> Known:
    """Return a known tensor of whole numbers, booleans or sizes, nested lists of them or arrays."""
    flat = np.empty(np.shape(values), dtype=object)
    source = np.asarray(values, dtype=object)
    for index in np.ndindex(flat.shape):
        item = source[index]
        if isinstance(item, np.generic):
            item = item.item()
        flat[index] = plain(item) if isinstance(item, Size) else item
    return Known(flat)


def known_shape(shape: Shape) -> Known:
    array = np.empty(len(shape), dtype=object)
    array[:] = [plain(size) for size in shape]
    return Known(array)


def is_free(value: AbstractValue) -> bool:
    """Whether it does not depend on the rows at all."""
    match value:
        case Tensor(axis=None) | VariableHandle():
            return True
        case Known():
            return not value.includes_row_count
        case TensorList(element=element):
            return element is None or is_free(element)
    return False


def as_tensor(value: AbstractValue) -> Tensor:
    """Return what is known of a value where its numbers do not matter.

    Raises:
        MixError: it is not a tensor, or reveals the number of rows.
    """
    match value:
        case Tensor():
            return value
        case Known():
            if value.includes_row_count:
                raise MixError("uses the number of rows as a value")
            return Tensor(tuple(sized(n) for n in value.array.shape))
        case Mixed(reason=reason):
            raise MixError(reason)
        case Turn() | RowsLeft():
            raise MixError("uses the position of a row as a value")
        case Item():
            raise MixError("combines one row with all rows")
    raise MixError(f"takes a value that is not a tensor here ({type(value).__name__})")


def rows_of(shape: Shape) -> Tensor:
    """Return a tensor whose first dimension holds the rows."""
    return Tensor((ROWS, *shape[1:]), 0)
