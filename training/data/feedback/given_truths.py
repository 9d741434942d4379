"""Truths as they were given about live predictions, and the file that keeps them with a run."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from service.repository.errors import RepositoryError
from service.repository.json_files import read_object
from training.errors import TrainingError

USER, AUDIT = "user", "audit"
# At most a quarter of what is learned from: what users correct is no fair sample of the traffic,
# so that the data with a known origin must outweigh it.
DEFAULT_SHARE = 0.25
# Audits of the last week judge the new version, and are not learned from until they are older.
HELD_S = 7 * 24 * 3600.0
# The clocks of those who store truths and of those who learn may be apart by so much.
_APART_S = 3600.0
_FORMAT = 1
# Readable for its owner alone, because it holds requests.
_MODE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenTruth:
    """What turned out to be true of one row of a request.

    Attributes:
        place: the request's id and the row, for people: "order-1001, row 0".
        source: ``USER``, who volunteers it, or ``AUDIT``, who was asked about a random row.
        answered_at: when the row was answered: seconds since the epoch. It never changes.
        given_at: when the truth, or its last correction, came.
        weight: how many rows of all traffic an audit stands for; 0 of other truths.
        signature: what was called.
        inputs: the row's inputs by name, as JSON; without those that are not stored.
        truth: what the outputs should have been, by name, as JSON.
    """

    place: str
    source: str
    answered_at: float
    given_at: float
    weight: float
    signature: str
    inputs: Mapping[str, Any]
    truth: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """All that a training is given of live traffic.

    Attributes:
        taken_at: when it was read from the store: seconds since the epoch.
        share: the largest share of feedback in what is learned from, 0 to below 1.
        truths: in no order.
    """

    taken_at: float
    share: float = DEFAULT_SHARE
    truths: tuple[GivenTruth, ...] = field(default=(), repr=False)

    def new_since(self, until: float) -> int:
        """Return how many truths came, or were corrected, after a time.

        Truths with times in the future, of a clock that was ahead, do not count: they would count
        for ever.
        """
        return sum(until < truth.given_at <= self.taken_at + _APART_S for truth in self.truths)

    def last_of(self, times: Iterable[float]) -> float:
        """Return the latest of the times that are not after the reading; 0 if there are none.

        A later one, of a clock that was ahead, would hide all truths until then.
        """
        return max((each for each in times if each <= self.taken_at + _APART_S), default=0.0)


def write_feedback(path: Path, feedback: Feedback) -> None:
    """Write what a run is given into a new file for its owner alone.

    Raises:
        OSError: the file cannot be written.
    """
    value = {"format": _FORMAT, **asdict(feedback)}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, allow_nan=False)


def read_feedback(path: Path) -> Feedback | None:
    """Return what a run was given; ``None`` where it was given nothing.

    Raises:
        TrainingError: the file cannot be read, or is of another format.
    """
    if not path.exists():
        return None
    try:
        value = read_object(path)
        if value.pop("format") != _FORMAT:
            raise ValueError(f"it is not of format {_FORMAT}")
        truths = tuple(GivenTruth(**each) for each in value.pop("truths"))
        return Feedback(truths=truths, **value)
    except (RepositoryError, TypeError, KeyError, ValueError) as error:
        raise TrainingError(f"{path} does not hold the feedback of a run: {error}.") from error
