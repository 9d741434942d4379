"""What the workers of all replicas have counted of a rollout: a row from each in their database.

As the files of one service's workers (``service.rollout.worker_counts``): a row stays when its
worker ends, and a routing key that several replicas have seen is one unit.
"""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from service.rollout.assessment import StageEvidence
from service.rollout.rollout_tables import RolloutTables
from service.rollout.shadow import ShadowCounts
from service.rollout.worker_counts import OwnCounts, UnreadableCounts, evidence_of
from service.runtime.traffic_split import TrafficSplit

# Between two writes of a worker: a row has up to 150 kB where clients choose their routing keys.
WRITE_S = 2.0

_WRITE = """INSERT INTO understudy_rollout_counts (worker, model, rollout, split, counts)
    VALUES (:worker, :model, :rollout, :split, :counts)
    ON CONFLICT (worker) DO UPDATE SET counts = excluded.counts"""
_READ = """SELECT counts FROM understudy_rollout_counts
    WHERE model = :model AND split = :split ORDER BY worker"""
_FORGET = "DELETE FROM understudy_rollout_counts WHERE model = :model AND rollout <> :keep"


class ReplicaCounts:
    """The counts of the workers of all replicas."""

    def __init__(
        self, tables: RolloutTables, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """The counts in the tables that the replicas share; ``clock`` returns seconds."""
        self._tables = tables
        self._clock = clock
        self._unreadable = UnreadableCounts()

    def of_this_worker(self, model: str, split: TrafficSplit) -> OwnCounts:
        """Return where this worker writes what it counts of one step."""
        return _Row(self._tables, model, split, self._clock)

    def read(self, model: str, split: TrafficSplit) -> StageEvidence:
        """Return what all workers of all replicas have counted of one step.

        Raises:
            StoreError: the database cannot be used now.
        """
        with self._tables.transaction() as run:
            rows = run.rows(_READ, {"model": model, "split": _text(split)})

        def found() -> Iterable[dict[str, Any]]:
            for (text,) in rows:
                try:
                    yield json.loads(text)
                except ValueError as error:
                    self._unreadable.note(model, split, error)

        return evidence_of(found(), model, split, self._unreadable)

    def forget(self, model: str, keep: str) -> None:
        """Remove what was counted of a model's rollouts other than the one with the id ``keep``.

        Raises:
            StoreError: the database cannot be used now.
        """
        with self._tables.transaction() as run:
            run.change(_FORGET, {"model": model, "keep": keep})


class _Row:
    """The row of one worker for one step of a model's rollout."""

    def __init__(
        self, tables: RolloutTables, model: str, split: TrafficSplit, clock: Callable[[], float]
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._about = {
            "worker": uuid4().hex,
            "model": model,
            "rollout": split.rollout,
            "split": _text(split),
        }
        self._last = ""
        self._next = 0.0

    def write(self, arms: dict[str, Any], shadow: ShadowCounts, *, is_last: bool = False) -> None:
        """Write what was counted, if it is not what was written last, and that is a while ago.

        Raises:
            StoreError: the database cannot be used now.
        """
        now = self._clock()
        if now < self._next and not is_last:
            return
        text = json.dumps({"arms": arms, "shadow": shadow.to_json()})
        if text == self._last:
            return
        with self._tables.transaction() as run:
            run.change(_WRITE, {**self._about, "counts": text})
        self._last, self._next = text, now + WRITE_S


def _text(split: TrafficSplit) -> str:
    return json.dumps(split.to_json(), sort_keys=True)
