"""Counts live rows by the reference's bins, after their answers have left.

A batch is only noted when it has been answered; a thread counts what was noted about once a
second, all batches of a field in one step. What comes beyond a bound in that time is not counted:
its rows are like the others, and so the cost is bounded however much traffic there is.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from service.monitoring.logs import log
from service.repository.golden_examples import Tensors
from service.repository.reference.binned_field import INPUTS, BinnedField
from service.repository.reference.measures import top_probability
from service.repository.reference.reference_file import Reference

# Of one version in one worker, between two counts, which are a second apart; the batch with which
# they are reached is noted to its end. Counting them takes 2 to 5 ms of a processor.
MOST_ROWS = 250
_MOST_BYTES = 16 * 1024 * 1024

# Sees the rows of one signature that ran together: their inputs, and their outputs.
Observe = Callable[[Tensors, Tensors], None]
# A field's place in the reference, a bin, and how many rows to add.
AddRows = Callable[[int, int, int], None]
AddProbability = Callable[[float], None]


class RowCounting:
    """The rows of one loaded version that are noted and not yet counted.

    Attributes:
        reference: the version's.
    """

    def __init__(
        self,
        reference: Reference,
        add_rows: AddRows,
        add_probability: AddProbability,
        wake: Callable[[], None],
    ) -> None:
        """A counting of a version that has answered no request yet.

        Args:
            reference: the version's.
            add_rows: adds to the count of a bin.
            add_probability: adds to the sum of the most probable classes' probabilities.
            wake: is called when something is noted; it must be quick.
        """
        self.reference = reference
        self._add_rows = add_rows
        self._add_probability = add_probability
        self._wake = wake
        self._lock = threading.Lock()
        self._noted: list[tuple[bool, Tensors, Tensors]] = []
        self._rows = self._bytes = 0
        self._inputs = {name for f in reference.fields if f.side == INPUTS for name in f.needs}
        self._outputs = {name for f in reference.fields if f.side != INPUTS for name in f.needs}
        if reference.probability:
            self._outputs.add(reference.probability)
        self._failed: set[str] = set()

    def observer(self, signature: str, outputs: Set[str] | None = None) -> Observe:
        """Return what notes the batches of a signature; it is called on any thread.

        Args:
            signature: its name; all that it gives must have rows.
            outputs: the names of those of its outputs that the reference describes; unset, all of
                the reference's outputs.
        """
        is_described = signature == self.reference.signature
        described = self._outputs if outputs is None else self._outputs & outputs

        def observe(inputs: Tensors, outputs: Tensors) -> None:
            rows = len(next(iter(outputs.values())))
            if self._rows >= MOST_ROWS or self._bytes > _MOST_BYTES:
                return
            # What is not needed is not kept: files may be large.
            kept = {name: tensor for name, tensor in outputs.items() if name in described}
            needed: Tensors = {}
            if is_described:
                needed = {name: tensor for name, tensor in inputs.items() if name in self._inputs}
            if rows > MOST_ROWS:
                # One request may have any number of rows.
                rows = MOST_ROWS
                kept = {name: tensor[:rows] for name, tensor in kept.items()}
                needed = {name: tensor[:rows] for name, tensor in needed.items()}
            size = sum([_bytes_of(tensor) for tensor in needed.values()])
            with self._lock:
                self._rows += rows
                self._bytes += size
                self._noted.append((is_described, needed, kept))
            self._wake()

        return observe

    def count(self) -> None:
        """Count what has been noted."""
        with self._lock:
            noted, self._noted = self._noted, []
            self._rows = self._bytes = 0
        if not noted:
            return
        inputs = [tensors for is_described, tensors, _ in noted if is_described]
        outputs = [tensors for _, _, tensors in noted]
        for place, field in enumerate(self.reference.fields):
            for tensors in _joined(inputs if field.side == INPUTS else outputs, field.needs):
                for index, rows in enumerate(self._counted(field, tensors)):
                    if rows:
                        self._add_rows(place, index, int(rows))
        probability = self.reference.probability
        if probability:
            for tensors in _joined(outputs, (probability,)):
                self._add_probability(float(top_probability(tensors[probability]).sum()))

    def _counted(self, field: BinnedField, tensors: Tensors) -> npt.NDArray[np.int64]:
        try:
            return field.count(tensors)
        except Exception as error:
            # A reference that does not fit its version must not end the counting of the others.
            if field.name not in self._failed:
                self._failed.add(field.name)
                message = "A field of the reference cannot be counted."
                log(logging.ERROR, message, field=field.name, reason=str(error))
            return np.zeros(0, np.int64)


def _joined(parts: Sequence[Tensors], names: Sequence[str]) -> list[Tensors]:
    """Join the rows of tensors that have all of the names; those of different shapes stay apart."""
    alike: dict[Any, list[Tensors]] = defaultdict(list)
    for part in parts:
        if all(name in part and part[name].ndim for name in names):
            alike[tuple(part[name].shape[1:] for name in names)].append(part)
    return [
        {name: np.concatenate([part[name] for part in group]) for name in names}
        for group in alike.values()
    ]


def _bytes_of(tensor: npt.NDArray[Any]) -> int:
    if tensor.dtype != object:
        return tensor.nbytes
    return sum(map(len, tensor.reshape(-1).tolist()))
