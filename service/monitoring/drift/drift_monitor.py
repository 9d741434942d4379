"""Counts live rows of all versions that bring a reference, and looks for drift.

One object a worker. Its thread begins with the first answer, after any fork.
"""

import contextlib
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from service.monitoring.drift.effect_size import jensen_shannon_distance
from service.monitoring.drift.evidence_blocks import AVERAGE_RUN_LENGTH, EvidenceBlocks, Totals
from service.monitoring.drift.row_counting import RowCounting
from service.monitoring.drift.shared_evidence import Record, SharedEvidence, VersionEvidence
from service.monitoring.logs import log
from service.monitoring.prometheus_metrics import Metrics
from service.repository.reference.reference_file import Reference

_COUNT_S = 1.0
_LOOK_S = 10.0
# How long evidence is kept of a version that this worker has not loaded: others may have.
_FORGET_S = 7200.0

Version = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ComparedVersion:
    """A loaded version that brings a reference.

    Attributes:
        counting: counts its rows in this worker.
        blocks: their evidence.
    """

    counting: RowCounting
    blocks: EvidenceBlocks


@dataclass(frozen=True, slots=True)
class ObservedDrift:
    """What has been counted of a version, over all workers.

    Attributes:
        blocks: against its reference.
        known: the evidence; ``None`` before anything was counted.
        totals: the rows by bin of each field.
        expected_right: the sum of the most probable classes' probabilities.
    """

    blocks: EvidenceBlocks
    known: VersionEvidence | None
    totals: Totals
    expected_right: float


class DriftMonitor:
    """The drift of all models that this worker answers for."""

    def __init__(
        self,
        metrics: Metrics,
        folder: Path | None,
        *,
        minimum_effect: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A monitor that watches nothing yet.

        Args:
            metrics: where rows are counted, over all workers.
            folder: the folder that the workers share, if there are several.
            minimum_effect: the population stability index below which a change does not matter.
            clock: returns the machine's monotonic time, in seconds.
        """
        self._metrics = metrics
        self._record = SharedEvidence(folder)
        self._minimum_effect = minimum_effect
        self._clock = clock
        self._watched: dict[Version, list[ComparedVersion]] = defaultdict(list)
        self._lock = threading.Lock()
        self._looked = clock()
        self._woken = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def begin(self, model: str, version: str, reference: Reference) -> ComparedVersion:
        """Watch a version that is loaded, until ``end``."""
        counted = self._metrics.version
        counting = RowCounting(
            reference,
            lambda place, index, rows: counted(model, version).count_field_rows(
                reference.fields[place].name, index, rows
            ),
            lambda amount: counted(model, version).add_probability(amount),
            self._wake,
        )
        watched = ComparedVersion(counting, EvidenceBlocks(reference, self._minimum_effect))
        with self._lock:
            self._watched[model, version].append(watched)
        return watched

    def end(self, model: str, version: str, watched: ComparedVersion) -> None:
        """Watch a version no longer: it is unloaded."""
        watched.counting.count()
        with self._lock:
            self._watched[model, version].remove(watched)
            if not self._watched[model, version]:
                del self._watched[model, version]

    def observed(self, model: str, version: str) -> ObservedDrift | None:
        """Return what is known of a version; ``None`` where it brings no reference."""
        with self._lock:
            watched = self._watched.get((model, version))
            blocks = watched[-1].blocks if watched else None
        if blocks is None:
            return None
        self.count()
        # The record first: what has been counted only grows.
        known = self._record.read().get(_key((model, version)))
        totals, expected_right = self._totals({(model, version): blocks})[model, version]
        if known is not None and not blocks.is_same(known, totals):
            known = None
        return ObservedDrift(blocks, known, totals, expected_right)

    def count(self) -> None:
        """Count what this worker has noted."""
        with self._lock:
            every = [each for watched in self._watched.values() for each in watched]
        for each in every:
            each.counting.count()

    def end_due_blocks(self) -> None:
        """End the blocks that are due, unless another worker does just now."""
        with self._lock:
            versions = {key: watched[-1].blocks for key, watched in self._watched.items()}
        if not versions:
            return
        # Where nothing can be written, /metrics says so; drift is computed once it can.
        with contextlib.suppress(OSError), self._record.changing() as record:
            if record is None:
                return
            now = self._clock()
            for name in [name for name, each in record.items() if each.began + _FORGET_S < now]:
                if name not in map(_key, versions):
                    del record[name]
            for key, (totals, _) in self._totals(versions).items():
                self._end_block(record, key, versions[key], totals, now)

    def close(self) -> None:
        """End the thread."""
        self._closed = True
        self._woken.set()

    def _end_block(
        self, record: Record, key: Version, blocks: EvidenceBlocks, totals: Totals, now: float
    ) -> None:
        known = record.get(_key(key))
        if known is None or not blocks.is_same(known, totals):
            nothing = {name: np.zeros_like(rows) for name, rows in totals.items()}
            known = record[_key(key)] = blocks.begin(nothing, now)
        if not blocks.is_due(known, totals, now):
            return
        before = known.evidence
        blocks.end(known, totals, now)
        alarm = known.evidence >= AVERAGE_RUN_LENGTH
        self._metrics.version(*key).show_drift(alarm, known.evidence, distances(blocks, known))
        if alarm != (before >= AVERAGE_RUN_LENGTH):
            message = "Rows are unlike the reference." if alarm else "The drift has ended."
            level = logging.WARNING if alarm else logging.INFO
            log(level, message, model=key[0], version=key[1], evidence=known.evidence)

    def _totals(
        self, versions: dict[Version, EvidenceBlocks]
    ) -> dict[Version, tuple[Totals, float]]:
        """Return the rows by bin, and the sum of probabilities, over all workers."""
        found: dict[Version, tuple[dict[str, npt.NDArray[np.float64]], float]] = {
            key: ({f.name: np.zeros(len(f.counts)) for f in blocks.reference.fields}, 0.0)
            for key, blocks in versions.items()
        }
        for sample in self._metrics.samples():
            if sample.name not in (_ROWS, _RIGHT):
                continue
            labels = sample.labels
            key = (labels["model"], labels["version"])
            if key not in found:
                continue
            totals, right = found[key]
            if sample.name == _RIGHT:
                found[key] = (totals, right + sample.value)
                continue
            rows, index = totals.get(labels["field"]), int(labels["bin"])
            # Another reference under the same number may have had other fields.
            if rows is not None and index < len(rows):
                rows[index] += sample.value
        return dict(found)

    def _wake(self) -> None:
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="drift", daemon=True)
                    self._thread.start()
        if not self._woken.is_set():
            self._woken.set()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            # What was noted is counted a second later; without traffic, blocks that last long
            # end all the same.
            self._woken.wait(_LOOK_S)
            if self._closed:
                return
            self._woken.clear()
            pause.wait(_COUNT_S)
            try:
                self.count()
                if self._clock() - self._looked >= _LOOK_S:
                    self._looked = self._clock()
                    # To look takes the numbers of all workers: one of them does it for all.
                    if not 0 <= self._record.age_s() < _LOOK_S / 2:
                        self.end_due_blocks()
            except Exception as error:
                log(logging.ERROR, "Drift could not be computed.", reason=repr(error))


_ROWS = "understudy_field_rows_total"
_RIGHT = "understudy_expected_right_total"


def distances(blocks: EvidenceBlocks, known: VersionEvidence) -> dict[str, float]:
    """Return each field's Jensen-Shannon distance over its last blocks."""
    return {
        field.name: jensen_shannon_distance(
            np.array(known.fields[field.name].history), np.array(field.counts)
        )
        for field in blocks.reference.fields
        if any(known.fields[field.name].history)
    }


def _key(version: Version) -> str:
    return "/".join(version)
