"""What all workers of a service have counted of a rollout: one small file from each.

The files lie in the folder that the workers share. A worker that has ended leaves its own, so that
nothing is counted less than before.
"""

import json
import logging
import os
from collections.abc import Callable, Iterable
from glob import escape
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from service.monitoring.logs import log
from service.repository.atomic_files import write_atomically
from service.rollout.assessment import StageEvidence
from service.rollout.shadow import ShadowCounts, shadow_counts_from_json
from service.runtime.arm_counts import WorkerUnits, summed, units_from_json
from service.runtime.traffic_split import TrafficSplit

_PREFIX = "rollout-"


class OwnCounts(Protocol):
    """Where one worker writes what it has counted of one step of a model's rollout."""

    def write(self, arms: dict[str, Any], shadow: ShadowCounts, *, is_last: bool = False) -> None:
        """Write what was counted, if it is not what was written last.

        Args:
            arms: what ``ArmCounts.to_json`` returns.
            shadow: what the shadow has seen.
            is_last: whether nothing more will be written.

        Raises:
            OSError, StoreError: it cannot be written now.
        """


class Counts(Protocol):
    """What all workers have counted of rollouts."""

    def of_this_worker(self, model: str, split: TrafficSplit) -> OwnCounts:
        """Return where this worker writes what it counts of one step."""

    def read(self, model: str, split: TrafficSplit) -> StageEvidence:
        """Return what all workers have counted of one step."""

    def forget(self, model: str, keep: str) -> None:
        """Remove what was counted of a model's rollouts other than the one with the id ``keep``."""


class UnreadableCounts:
    """Says once of each rollout that a worker's counts cannot be read.

    They are looked at every other second, and stay as they are: those of a replica that is of a
    later version of this software already.
    """

    def __init__(self) -> None:
        """Nothing was said yet."""
        # Of each model the rollout of which it was said.
        self._said: dict[str, str] = {}

    def note(self, model: str, split: TrafficSplit, error: Exception) -> None:
        """Say it, unless it was said of this rollout.

        Args:
            model: the model's name.
            split: how its requests are split.
            error: what is wrong with them.
        """
        if self._said.get(model) != split.rollout:
            self._said[model] = split.rollout
            what = f"{type(error).__name__}: {error}"
            log(logging.WARNING, _UNREADABLE, model=model, rollout=split.rollout, problem=what)


class FolderCounts:
    """The counts of the workers of one service, in the folder that they share."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        """Counts in the folder that ``folder`` returns."""
        self._folder = folder
        self._unreadable = UnreadableCounts()

    def of_this_worker(self, model: str, split: TrafficSplit) -> OwnCounts:
        """Return where this worker writes what it counts of one step."""
        return CountsFile(self._folder(), model, split)

    def read(self, model: str, split: TrafficSplit) -> StageEvidence:
        """Return what all workers have counted of one step."""
        return _read_counts(self._folder(), model, split, self._unreadable)

    def forget(self, model: str, keep: str) -> None:
        """Remove what was counted of a model's rollouts other than the one with the id ``keep``."""
        forget_counts(self._folder(), model, keep)


class CountsFile:
    """The counts of one worker for one step of a model's rollout."""

    def __init__(self, folder: Path, model: str, split: TrafficSplit) -> None:
        """A file that is not written yet.

        Args:
            folder: the folder that the workers share.
            model: the model's name.
            split: how its requests are split.
        """
        self._path = folder / f"{_PREFIX}{model}-{os.getpid()}-{uuid4().hex[:8]}.json"
        self._about = {"model": model, "split": split.to_json()}
        self._last: bytes = b""

    def write(self, arms: dict[str, Any], shadow: ShadowCounts, *, is_last: bool = False) -> None:
        """Write what was counted, if it is not what was written last.

        Raises:
            OSError: the folder cannot be written.
        """
        data = json.dumps({**self._about, "arms": arms, "shadow": shadow.to_json()}).encode()
        if data != self._last:
            write_atomically(self._path, data, durable=False)
            self._last = data


def _read_counts(
    folder: Path, model: str, split: TrafficSplit, unreadable: UnreadableCounts
) -> StageEvidence:
    def found() -> Iterable[dict[str, Any]]:
        for path in sorted(folder.glob(f"{_PREFIX}{escape(model)}-*.json")):
            try:
                value = json.loads(path.read_bytes())
                if (value["model"], value["split"]) == (model, split.to_json()):
                    yield value
            except (OSError, ValueError, KeyError, TypeError) as error:
                unreadable.note(model, split, error)

    return evidence_of(found(), model, split, unreadable)


def evidence_of(
    counts: Iterable[dict[str, Any]], model: str, split: TrafficSplit, unreadable: UnreadableCounts
) -> StageEvidence:
    """Return what workers have counted of one step of a model's rollout, all together.

    Args:
        counts: for each worker its ``arms`` and ``shadow``, as ``OwnCounts`` has them, as JSON.
        model: the model's name.
        split: how its requests are split.
        unreadable: is told of those that cannot be read, which are left out.
    """
    workers: list[WorkerUnits] = []
    shadow = ShadowCounts()
    for value in counts:
        try:
            units = units_from_json(value["arms"])
            seen = shadow_counts_from_json(value["shadow"])
        except (KeyError, TypeError, ValueError) as error:
            unreadable.note(model, split, error)
            continue
        workers.append(units)
        shadow += seen
    return StageEvidence(split.stage, split.percent, summed(workers), shadow)


# What is missing never promotes.
_UNREADABLE = (
    "What a worker has counted of a rollout cannot be read, and is left out. A replica of a later "
    "version of this software counts otherwise, perhaps; this is said once."
)


def forget_counts(folder: Path, model: str, keep: str) -> None:
    """Remove what was counted of a model's rollouts other than the one with the id ``keep``."""
    for path in folder.glob(f"{_PREFIX}{escape(model)}-*.json"):
        try:
            value = json.loads(path.read_bytes())
            if value["model"] == model and value["split"]["rollout"] != keep:
                path.unlink(missing_ok=True)
        except (OSError, ValueError, KeyError, TypeError):
            continue
