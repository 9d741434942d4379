"""One field of a reference: what is measured of it, its bins, and how many rows are in each."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from service.repository.errors import RepositoryError
from service.repository.golden_examples import Tensors
from service.repository.reference.measures import MEASURES, tensors_of

INPUTS, OUTPUTS = "inputs", "outputs"
_CATEGORY = "category"
# Beside the bins of numbers there are those below, above, and for what is missing.
_OUTSIDE = 3
# Beside the categories there is one for all others.
_OTHER = 1


@dataclass(frozen=True)
class BinnedField:
    """A field, its bins and its counts.

    Attributes:
        side: "inputs" or "outputs".
        tensor: the tensor's name; of a measured interval the name before ``_low`` and ``_high``.
        measure: what is measured of a row: "category", or one of ``MEASURES``.
        counts: the rows in each bin. For numbers the bins are: below the first edge; between each
            two edges, the lower one included; above the last edge; missing. For categories: each
            of them; all others.
        edges: of numbers, in ascending order; two at least.
        categories: the values, as JSON has them.
        parameter: what the measure needs besides.
    """

    side: str
    tensor: str
    measure: str
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    categories: tuple[Any, ...] = ()
    parameter: float = 0.0

    def __post_init__(self) -> None:
        where = f"field {self.tensor!r}"
        if self.side not in (INPUTS, OUTPUTS):
            raise RepositoryError(f"{where}: side must be inputs or outputs, not {self.side!r}.")
        if self.measure != _CATEGORY and self.measure not in MEASURES:
            raise RepositoryError(f"{where}: {self.measure!r} is not a measure.")
        if self.measure == _CATEGORY:
            bins = len(self.categories) + _OTHER
        else:
            bins = len(self.edges) - 1 + _OUTSIDE
            if len(self.edges) < 2 or any(
                low > high for low, high in zip(self.edges, self.edges[1:], strict=False)
            ):
                raise RepositoryError(f"{where}: edges must be two or more numbers that ascend.")
        if len(self.counts) != bins or min(self.counts) < 0:
            raise RepositoryError(f"{where}: counts must be {bins} numbers from 0.")

    @property
    def name(self) -> str:
        """What it is called: "inputs.image.contrast"."""
        inner = "" if self.measure in (_CATEGORY, "value") else f".{self.measure}"
        place = f" {self.parameter:g}" if self.measure == "component" else ""
        return f"{self.side}.{self.tensor}{inner}{place}"

    @property
    def needs(self) -> tuple[str, ...]:
        """The tensors that it is measured of."""
        return tensors_of(self.measure, self.tensor)

    @cached_property
    def bin_names(self) -> tuple[str, ...]:
        """What each bin is called, for people."""
        if self.measure == _CATEGORY:
            return (*map(str, self.categories), "another")
        pairs = zip(self.edges, self.edges[1:], strict=False)
        return (
            f"below {self.edges[0]:.6g}",
            *(f"{low:.6g} to {high:.6g}" for low, high in pairs),
            f"above {self.edges[-1]:.6g}",
            "missing",
        )

    @cached_property
    def _edges(self) -> npt.NDArray[np.float64]:
        return np.array(self.edges)

    @cached_property
    def _places(self) -> dict[Any, int]:
        places = {value: place for place, value in enumerate(self.categories)}
        return places | {
            value.encode(): place for value, place in places.items() if isinstance(value, str)
        }

    def count(self, tensors: Tensors) -> npt.NDArray[np.int64]:
        """Return how many rows of ``tensors`` are in each bin, int64 [bins].

        Args:
            tensors: those of the field's side, each of the same number of rows.
        """
        bins = self.bins_of(tensors)
        return np.bincount(bins, minlength=len(self.counts))

    def bins_of(self, tensors: Tensors) -> npt.NDArray[np.int64]:
        """Return the bin of each row, int64 [N]."""
        if self.measure == _CATEGORY:
            values = tensors[self.tensor]
            other = len(self.categories)
            flat = values.reshape(len(values), -1)[:, 0].tolist()
            places = (self._places.get(value, other) for value in flat)
            return np.fromiter(places, np.int64, len(flat))
        numbers = MEASURES[self.measure](tensors, self.tensor, self.parameter)
        bins = np.searchsorted(self._edges, numbers, side="right")
        last = len(self.edges)
        bins[numbers == self.edges[-1]] = last - 1
        bins[np.isnan(numbers)] = last + 1
        return bins
