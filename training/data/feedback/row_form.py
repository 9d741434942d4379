"""How the truths about a model become rows of its data: what a task says of itself."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from training.array_types import Array, Data, Ints
from training.data.feedback.given_truths import GivenTruth


class UnfitTruthError(Exception):
    """A truth cannot become a row; the message says why, without a full stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row as the network sees it.

    Attributes:
        key: ``row_split.row_key`` of its inputs; rows with the same key are the same row.
        value: its inputs, as the form knows them.
        target: what is true of it: a class or a number.
    """

    key: str
    value: Any
    target: str | float


class RowForm(ABC, Generic[Data]):
    """Turns truths into rows of a task's data.

    Attributes:
        output: the output that truths are about.
        signature: the signature that answers rows.
        has_validation: whether the task holds rows out to choose an epoch by; where it does not,
            it learns from them as well.
    """

    output: str
    signature: str = "serving_default"
    has_validation: bool = True

    @abstractmethod
    def row(self, truth: GivenTruth, data: Data) -> Row:
        """Prepare a truth as the data is prepared.

        Raises:
            UnfitTruthError: it is no row of such data.
        """

    @abstractmethod
    def keys(self, data: Data) -> frozenset[str]:
        """Return the keys of all rows of the data, whatever they are for."""

    @abstractmethod
    def learned(self, data: Data) -> int:
        """Return how many rows of the data may be learned from."""

    @abstractmethod
    def with_rows(self, data: Data, rows: Sequence[Row], repeats: Ints, fingerprint: str) -> Data:
        """Return the data with rows of feedback after those to learn from.

        Args:
            data: without feedback.
            rows: to add, [A].
            repeats: how often each is learned from in an epoch; 0 of those to validate with.
            fingerprint: of the result.
        """

    @abstractmethod
    def inputs(self, rows: Sequence[Row]) -> Mapping[str, Array]:
        """Return the inputs of ``signature`` for rows, [rows, ...]."""


def stored(values: Mapping[str, Any], name: str) -> Any:
    """Return one value of a row.

    Raises:
        UnfitTruthError: it is not there.
    """
    if name not in values:
        raise UnfitTruthError(f"{name} missing; fields marked as sensitive are not stored")
    return values[name]


def label_of(truth: GivenTruth, output: str, labels: Sequence[str]) -> str:
    """Return the class that a truth names.

    Raises:
        UnfitTruthError: it names none, or one that the data does not have.
    """
    label = str(stored(truth.truth, output))
    if label not in labels:
        raise UnfitTruthError(f"{output} is {label!r:.60}, which is no class of the data")
    return label
