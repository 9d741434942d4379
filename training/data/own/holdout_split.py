"""Holds out the test rows of own data, and orders its classes."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.own.bad_rows import BadRows
from training.data.own.class_checks import Labelled, check_classes
from training.data.own.findings import findings_to_json
from training.errors import TrainingError

TEST_SHARE = 0.15
# Rows for training, for validation and for the test: fewer would mean nothing.
LEAST_OF_A_CLASS = 10
# With more classes than this there are too few rows of some; many more are not classes at all.
_A_FEW = 20
# Not the run's seed: runs with other seeds would have other test sets, and could not be compared.
_SEED = 1


class Divided:
    """Rows of own data with their classes, and which of them are for the test.

    Of each class the same share of its different rows is chosen by a hash of the content. So the
    choice does not depend on the rows' order; it changes little when rows are added, and a version
    is hardly measured with what the one before learned from; rows that are the same stay together.

    Args:
        source: the file or folder, for messages.
        contents: what each row is, as bytes, [N].
        labels: the names of their classes, [N].
        standard: the names of the standard data's classes.
        bad: the rows that were left out.
        places: where the rows are, [N].
        alike: brings what people take for the same into one form.

    Attributes:
        names: the classes in the order of their numbers. It is the alphabet's; data with the very
            classes of the standard data keeps that one's order, so that a training can start from
            a version that learned from it.
        labels: int64 [N], 0-based.
        test: whether a row is for the test, bool [N].
        fingerprint: SHA-256 over all rows and their classes, and over which are for the test unless
            that is what the first version of this software chose; paths do not matter.
        findings: on the rows; callers that know more add to them.

    Raises:
        TrainingError: too many rows are bad, there is one class alone, or too little of one.
    """

    def __init__(
        self,
        source: Path,
        contents: Sequence[bytes],
        labels: Sequence[str],
        standard: Sequence[str],
        bad: BadRows,
        *,
        places: Sequence[str],
        alike: Callable[[bytes], bytes] = bytes,
    ) -> None:
        bad.check_share(source, len(labels))
        found = set(labels)
        self.names = tuple(standard) if found == set(standard) else tuple(sorted(found))
        number = {name: index for index, name in enumerate(self.names)}
        self.labels = np.array([number[label] for label in labels], np.int64)
        hashes = _hashes(contents)
        self._check(source, hashes)
        self.test = self._choose(hashes)
        fingerprint = hashlib.sha256(
            b"".join(
                digest.encode() + hashlib.sha256(label.encode()).digest()
                for digest, label in zip(hashes.tolist(), labels, strict=True)
            )
        )
        # Weights that know the test rows must not pass for weights of these data.
        if (self.test != self._choose(hashes, as_at_first=True)).any():
            fingerprint.update(np.packbits(self.test).tobytes())
        self.fingerprint = fingerprint.hexdigest()
        self._bad = len(bad)
        rows = Labelled(
            names=self.names,
            labels=self.labels,
            test=self.test,
            contents=[alike(content) for content in contents],
            places=places,
        )
        self.findings = list(check_classes(rows))

    def card(self) -> dict[str, Any]:
        """Return what the card says of the data, as JSON."""
        counts = np.bincount(self.labels, minlength=len(self.names)).tolist()
        return {
            "classes": dict(zip(self.names, counts, strict=True)),
            "division": f"{100 * TEST_SHARE:g} % of each class for the test, by hash of content",
            "bad_rows": self._bad,
            **({"findings": findings_to_json(self.findings)} if self.findings else {}),
        }

    def _check(self, source: Path, hashes: npt.NDArray[np.str_]) -> None:
        if len(self.names) < 2:
            raise TrainingError(
                f"{source} has only the class {self.names[0]!r}; at least two are needed."
            )
        if len(self.names) > max(_A_FEW, len(hashes) / LEAST_OF_A_CLASS):
            raise TrainingError(
                f"{source} has {len(self.names):,} classes in {len(hashes):,} rows, such as "
                f"{self.names[0]!r:.60}: is the label in another column, or a number to estimate?"
            )
        for label, name in enumerate(self.names):
            different = len(np.unique(hashes[self.labels == label]))
            if different < LEAST_OF_A_CLASS:
                raise TrainingError(
                    f"{source}: the class {name!r} has {different} different rows; "
                    f"at least {LEAST_OF_A_CLASS} are needed of each."
                )

    def _choose(
        self, hashes: npt.NDArray[np.str_], *, as_at_first: bool = False
    ) -> npt.NDArray[np.bool_]:
        chosen = np.zeros(len(hashes), bool)
        for label in range(len(self.names)):
            rows = np.flatnonzero(self.labels == label)
            # Of different rows: the last of all might be a row that has hundreds of copies, which
            # may be all that there is left to learn from.
            ordered = np.sort(hashes[rows]) if as_at_first else np.unique(hashes[rows])
            last = ordered[max(1, round(len(ordered) * TEST_SHARE)) - 1]
            chosen[rows] = hashes[rows] <= last
        return chosen


def _hashes(contents: Sequence[bytes]) -> npt.NDArray[np.str_]:
    salt = b"%d:" % _SEED
    return np.array([hashlib.sha256(salt + content).hexdigest() for content in contents])
