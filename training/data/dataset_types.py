"""The types of parsed data, whatever its source: pictures, texts, cars."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

# Graphs read no further: several times the longest review of IMDB, and little work.
MAX_TEXT_BYTES = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class AddedRows:
    """Rows of feedback that follow the rows of the data itself.

    Attributes:
        repeats: how often each is learned from in an epoch, int64 [A]; 0 of those that are held
            out to choose an epoch and a temperature by.
    """

    repeats: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.repeats)

    def after(self, rows: int) -> npt.NDArray[np.int64]:
        """Return how often each row is learned from, int64 [rows + A]: those before them once."""
        return np.concatenate([np.ones(rows, np.int64), self.repeats])


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Pictures with their classes, divided into training and test pictures.

    Attributes:
        train: uint8 [N, height, width], grey values 0..255.
        train_labels: int64 [N], 0-based.
        test: like ``train``.
        test_labels: like ``train_labels``.
        labels: the names of the classes.
        fingerprint: SHA-256 of the content.
        own: what the card says of data that a user brought, as JSON; ``None`` for the published
            data set.
        test_files: where each picture of ``test`` came from; empty for the published data set.
        added: what the last of ``train`` are, where they are feedback.
    """

    train: npt.NDArray[np.uint8]
    train_labels: npt.NDArray[np.int64]
    test: npt.NDArray[np.uint8]
    test_labels: npt.NDArray[np.int64]
    labels: tuple[str, ...]
    fingerprint: str
    own: Mapping[str, Any] | None = None
    test_files: tuple[Path, ...] = ()
    added: AddedRows | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Texts with their classes, divided into training and test texts.

    Attributes:
        train: UTF-8 bytes as they were written, one object a text.
        train_labels: int64 [N], 0-based.
        test: like ``train``.
        test_labels: like ``train_labels``.
        labels: the names of the classes.
        fingerprint: SHA-256 of the content.
        own: as in ``Images``.
        test_originals: of each text of ``test`` its place in the file and how it stands there,
            blanks around it included; empty for the published data set.
        added: as in ``Images``.
    """

    train: list[bytes]
    train_labels: npt.NDArray[np.int64]
    test: list[bytes]
    test_labels: npt.NDArray[np.int64]
    labels: tuple[str, ...]
    fingerprint: str
    own: Mapping[str, Any] | None = None
    test_originals: tuple[tuple[str, bytes], ...] = ()
    added: AddedRows | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cars with their consumption.

    Attributes:
        numbers: float32 [N] for each numeric column, by name; NaN is unknown.
        origin: the region that a car was made in, [N].
        origins: all regions, in the order of the network's inputs.
        mpg: float32 [N], miles to the US gallon.
        names: of the cars, [N].
        fingerprint: SHA-256 of the content.
        own: as in ``Images``.
        added: what the last of the cars are, where they are feedback.
    """

    numbers: dict[str, npt.NDArray[np.float32]]
    origin: npt.NDArray[np.str_]
    origins: tuple[str, ...]
    mpg: npt.NDArray[np.float32]
    names: npt.NDArray[np.str_]
    fingerprint: str
    own: Mapping[str, Any] | None = None
    added: AddedRows | None = None
