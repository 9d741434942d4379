"""Reads what audits say of a rollout's versions, beside the thread that decides.

A store that does not answer must not hold up decisions on errors and latency. So each snapshot is
read in a thread of its own, and who decides takes the last one. Without a fresh one nothing is
promoted.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

from service.errors import ServiceError
from service.events.event_store import EventStore
from service.events.row_loss import RowLoss
from service.events.second_answers import audited_pairs
from service.monitoring.logs import log
from service.repository.rollout_policy import Rollout
from service.rollout.paired_quality import PairedQuality, paired_quality

# After reading, it rests for so many times as long as that took, and at least for a second.
_REST = 20
_LEAST_REST_S = 1.0
_MOST_REST_S = 30.0
# What is known counts for so long.
_STALE_S = 90.0

LossOf = Callable[[int], RowLoss | None]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    rollout: str
    quality: PairedQuality
    read_at: float


class TruthReader:
    """The truths of one model's rollouts."""

    def __init__(self, store: EventStore, model: str, loss_of: LossOf) -> None:
        """A reader that has read nothing.

        Args:
            store: where the truths are.
            model: the model's name.
            loss_of: returns how the answers of a version are judged, if they can be.
        """
        self._store = store
        self._model = model
        self._loss_of = loss_of
        self._snapshot: _Snapshot | None = None
        self._problem = ""
        self._thread: threading.Thread | None = None
        self._rests_until = 0.0

    def latest(self, rollout: Rollout, known: PairedQuality | None) -> PairedQuality:
        """Return what audits say; never waits for the store.

        Args:
            rollout: the rollout, with a candidate.
            known: what the rollout's record holds, perhaps from an earlier controller.
        """
        is_reading = self._thread is not None and self._thread.is_alive()
        if not is_reading and monotonic() >= self._rests_until:
            self._thread = threading.Thread(
                target=self._read, args=(rollout,), name="truths", daemon=True
            )
            self._thread.start()
        last = self._snapshot
        if last is None or last.rollout != rollout.id:
            problem = self._problem or "The truths have not been read yet."
            return replace(known or PairedQuality(), problem=problem)
        age_s = monotonic() - last.read_at
        if age_s <= _STALE_S:
            return last.quality
        return replace(
            last.quality, problem=self._problem or f"No truths have been read for {age_s:.0f} s."
        )

    def _read(self, rollout: Rollout) -> None:
        start = monotonic()
        try:
            assert rollout.candidate is not None
            with self._store.transaction() as run:
                pairs = audited_pairs(run, self._model, rollout.id, rollout.candidate)
            loss = self._loss_of(rollout.champion)
            quality = paired_quality(loss, pairs, rollout.rules.alpha)
            self._snapshot = _Snapshot(rollout.id, quality, monotonic())
            self._problem = ""
        except ServiceError as error:
            # The champion does not serve yet, after a restart.
            self._problem = str(error)
        except Exception as error:
            if not self._problem:
                log(logging.ERROR, "Truths cannot be read.", error=error, model=self._model)
            # Which does not show where the store is.
            self._problem = "The truths cannot be read now."
        finally:
            spent = monotonic() - start
            self._rests_until = start + spent + min(max(_REST * spent, _LEAST_REST_S), _MOST_REST_S)
