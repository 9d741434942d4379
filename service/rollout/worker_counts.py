"""What all workers of a service have counted of a rollout: one small file from each.

The files lie in the folder that the workers share. A worker that has ended leaves its own, so that
nothing is counted less than before.
"""

import json
import logging
import os
from glob import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

from service.monitoring.logs import log
from service.repository.atomic_files import write_atomically
from service.rollout.assessment import StageEvidence
from service.rollout.shadow import ShadowCounts
from service.runtime.arm_counts import summed
from service.runtime.traffic_split import TrafficSplit

_PREFIX = "rollout-"


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

    def write(self, arms: dict[str, Any], shadow: ShadowCounts) -> None:
        """Write what was counted, if it is not what was written last.

        Raises:
            OSError: the folder cannot be written.
        """
        data = json.dumps({**self._about, "arms": arms, "shadow": shadow.to_json()}).encode()
        if data != self._last:
            write_atomically(self._path, data, durable=False)
            self._last = data


def read_counts(folder: Path, model: str, split: TrafficSplit) -> StageEvidence:
    """Return what all workers have counted of one step of a model's rollout."""
    arms, shadow = [], ShadowCounts()
    for path in sorted(folder.glob(f"{_PREFIX}{escape(model)}-*.json")):
        try:
            value = json.loads(path.read_bytes())
            if (value["model"], value["split"]) == (model, split.to_json()):
                arms.append(value["arms"])
                shadow += ShadowCounts(**value["shadow"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            # What is missing never promotes.
            log(logging.ERROR, "A worker's counts cannot be read.", error=error, model=model)
    return StageEvidence(split.stage, split.percent, summed(arms), shadow)


def forget_counts(folder: Path, model: str, keep: str) -> None:
    """Remove what was counted of a model's rollouts other than the one with the id ``keep``."""
    for path in folder.glob(f"{_PREFIX}{escape(model)}-*.json"):
        try:
            value = json.loads(path.read_bytes())
            if value["model"] == model and value["split"]["rollout"] != keep:
                path.unlink(missing_ok=True)
        except (OSError, ValueError, KeyError, TypeError):
            continue
