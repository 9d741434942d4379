"""Ends blocks of live rows, and adds their evidence."""

import hashlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from service.monitoring.drift.drift_evidence import (
    HISTORY_KEPT,
    after_block,
    log_e_value,
    reference_radius,
)
from service.monitoring.drift.shared_evidence import FieldEvidence, VersionEvidence
from service.repository.reference.reference_file import Reference

# An alarm without drift comes after at least so many blocks on average: two years at one a minute.
AVERAGE_RUN_LENGTH = 1_000_000
# The probability that the rows of the reference are odder than is allowed for, over all fields.
_ODD_REFERENCE = 0.001
# A block ends when it has so many rows and seconds; or after an hour, if it has any rows.
BLOCK_ROWS = 200
BLOCK_S = 60.0
_LONGEST_BLOCK_S = 3600.0
# Evidence does not grow far beyond the bound, so that an alarm ends some blocks after its drift.
_LARGEST = 100.0 * AVERAGE_RUN_LENGTH

Totals = Mapping[str, npt.NDArray[np.float64]]


class EvidenceBlocks:
    """The evidence of one version's live rows against its reference."""

    def __init__(self, reference: Reference, minimum_effect: float) -> None:
        """Blocks against a reference.

        Args:
            reference: the version's.
            minimum_effect: the population stability index below which a change does not matter.
        """
        self.reference = reference
        content = repr([(field.name, field.edges, field.counts) for field in reference.fields])
        self.digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        self._counts = {f.name: np.array(f.counts, np.float64) for f in reference.fields}
        chance = _ODD_REFERENCE / len(reference.fields)
        # For small changes the index is twice the relative entropy.
        self._radii = {
            f.name: max(
                reference_radius(max(1, sum(f.counts)), max(2, len(f.counts)), chance),
                minimum_effect / 2,
            )
            for f in reference.fields
        }

    def begin(self, totals: Totals, now: float) -> VersionEvidence:
        """Return the evidence before the first block: what was counted before is left out."""
        return VersionEvidence(
            self.digest,
            now,
            fields={
                name: FieldEvidence(totals[name].tolist(), [0.0] * len(totals[name]))
                for name in self._counts
            },
        )

    def is_due(self, known: VersionEvidence, totals: Totals, now: float) -> bool:
        """Whether the block under way ends now.

        That depends on time and number alone, never on what the rows are; else looking could
        choose its evidence.

        Args:
            known: the evidence so far.
            totals: the rows by bin of each field, over all workers.
            now: the machine's monotonic time.
        """
        seconds, rows = now - known.began, self._new_rows(known, totals)
        return bool(rows) and (
            (rows >= BLOCK_ROWS and seconds >= BLOCK_S) or seconds >= _LONGEST_BLOCK_S
        )

    def end(self, known: VersionEvidence, totals: Totals, now: float) -> None:
        """End the block under way, and add its evidence to ``known``."""
        known.rows += self._new_rows(known, totals)
        for name, reference in self._counts.items():
            field = known.fields[name]
            counts = np.maximum(totals[name] - field.totals, 0.0)
            history = np.array(field.history)
            log_e = log_e_value(counts, reference, self._radii[name], history)
            field.log_restart, field.evidence = after_block(field.log_restart, log_e, _LARGEST)
            field.totals = totals[name].tolist()
            if counts.any():
                field.history = (HISTORY_KEPT * history + counts).tolist()
        known.blocks += 1
        known.evidence = float(np.mean([field.evidence for field in known.fields.values()]))
        known.began = now

    def is_same(self, known: VersionEvidence, totals: Totals) -> bool:
        """Whether evidence is against this reference, and nothing was counted anew since."""
        return known.reference == self.digest and all(
            name in known.fields
            and len(known.fields[name].totals) == len(totals[name])
            and totals[name].sum() >= sum(known.fields[name].totals)
            for name in self._counts
        )

    def _new_rows(self, known: VersionEvidence, totals: Totals) -> int:
        return max(
            int(totals[name].sum() - sum(field.totals)) for name, field in known.fields.items()
        )
