"""``rollout.json``: what a rollout has come to, each decision with the numbers that it goes by."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from service.repository.errors import RepositoryError
from service.repository.json_files import read_optional, write_object
from service.repository.rollout_policy import Rollout, Stage, rollout_from_json
from service.rollout.assessment import StageEvidence
from service.rollout.paired_quality import PairedQuality
from service.rollout.shadow import ShadowCounts
from service.runtime.arm_counts import arms_from_json

ROLLOUT_RECORD = "rollout.json"
# Earlier rollouts that are kept, without their numbers.
_MOST_EARLIER = 20


@dataclass(slots=True)
class RolloutRecord:
    """A rollout as ``rollout.json`` has it.

    Attributes:
        rollout: as it is now.
        before: as it was before the last decision, which the policy may not show yet.
        outcome: ``live``, ``rolled back`` or ``ended by hand``; empty while it is under way.
        reason: why it is where it is, in a sentence.
        held: whether it is undecided beyond its deadline.
        stage_began: when the present stage began, in seconds since the epoch; for people, because
            clocks are set.
        elapsed_s: for how long the present stage has been watched.
        run: which run of a service counted the present stage's last evidence.
        carried: what earlier runs of the service counted of the present stage.
        stages: what the stages have shown, the present one last.
        quality: what audits of rows that both versions answered say, over all stages; ``None``
            where no truths are stored.
        decisions: all decisions, oldest first; JSON.
        earlier: rollouts before this one, newest first; JSON.
    """

    rollout: Rollout
    before: Rollout | None = None
    outcome: str = ""
    reason: str = ""
    held: bool = False
    stage_began: float = field(default_factory=time.time)
    elapsed_s: float = 0.0
    run: str = ""
    carried: StageEvidence | None = None
    stages: list[StageEvidence] = field(default_factory=list)
    quality: PairedQuality | None = None
    decisions: list[dict[str, Any]] = field(default_factory=list)
    earlier: list[dict[str, Any]] = field(default_factory=list)

    @property
    def present(self) -> StageEvidence:
        """What the present stage has shown."""
        return self.stages[-1]

    @property
    def state(self) -> str:
        """Where it is, in a word or two."""
        return self.outcome or str(self.rollout.stage)

    def enter(self, rollout: Rollout, reason: str) -> None:
        """Note that the rollout is at another stage from now on."""
        self.before, self.rollout, self.reason, self.held = self.rollout, rollout, reason, False
        self.stage_began, self.elapsed_s, self.run, self.carried = time.time(), 0.0, "", None
        self.stages.append(StageEvidence(rollout.stage, rollout.percent))

    def note(self, decision: str, reason: str, numbers: dict[str, Any]) -> None:
        """Note a decision, with what it goes by."""
        arms = self.present.arms
        self.decisions.append(
            {
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "decision": decision,
                "state": self.state,
                "percent": self.rollout.percent,
                "reason": reason,
                "candidate_units": arms.candidate.units,
                "numbers": numbers,
            }
        )

    def summary(self) -> dict[str, Any]:
        """Return what remains of it when the next rollout begins."""
        return {
            "id": self.rollout.id,
            "champion": self.rollout.champion,
            "candidate": self.rollout.candidate,
            "outcome": self.outcome,
            "reason": self.reason,
            "at": self.decisions[-1]["at"] if self.decisions else None,
        }

    def to_json(self) -> dict[str, Any]:
        """Return it as the JSON object of its file."""
        return {
            "state": self.state,
            "reason": self.reason,
            "held": self.held,
            "rollout": self.rollout.to_json(),
            "before": self.before and self.before.to_json(),
            "outcome": self.outcome,
            "stage_began": round(self.stage_began, 3),
            "elapsed_s": round(self.elapsed_s, 3),
            "run": self.run,
            "carried": self.carried and _evidence_to_json(self.carried),
            "stages": [_evidence_to_json(each) for each in self.stages],
            "quality": self.quality and self.quality.to_json(),
            "decisions": self.decisions,
            "earlier": self.earlier,
        }


def begin_rollout_record(rollout: Rollout, last: RolloutRecord | None) -> RolloutRecord:
    """Return the record of a rollout that begins.

    Args:
        rollout: the rollout.
        last: the record of the one before.
    """
    earlier = [] if last is None else [last.summary(), *last.earlier][:_MOST_EARLIER]
    record = RolloutRecord(rollout, earlier=earlier)
    record.stages.append(StageEvidence(rollout.stage, rollout.percent))
    return record


def read_rollout_record(model_directory: Path) -> RolloutRecord | None:
    """Return the record of a model's last rollout; ``None`` if there was none.

    Raises:
        RepositoryError: the file is not a record.
    """
    value = read_optional(model_directory / ROLLOUT_RECORD)
    return None if value is None else rollout_record_from_json(value)


def rollout_record_from_json(value: dict[str, Any]) -> RolloutRecord:
    """Return what ``RolloutRecord.to_json`` returned.

    Raises:
        RepositoryError: it is not a record.
    """
    try:
        return RolloutRecord(
            rollout_from_json(value["rollout"], ROLLOUT_RECORD),
            value["before"] and rollout_from_json(value["before"], ROLLOUT_RECORD),
            value["outcome"],
            value["reason"],
            value["held"],
            value["stage_began"],
            # An earlier version went by the clock alone: its stage begins anew.
            float(value.get("elapsed_s", 0.0)),
            value["run"],
            value["carried"] and _evidence_from_json(value["carried"]),
            [_evidence_from_json(each) for each in value["stages"]],
            # A record of before there were truths has none.
            PairedQuality(**value["quality"]) if value.get("quality") else None,
            value["decisions"],
            value["earlier"],
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise RepositoryError(f"{ROLLOUT_RECORD} is not the record of a rollout.") from error


def write_rollout_record(model_directory: Path, record: RolloutRecord) -> None:
    """Write a record; a reader sees the old one or the new one.

    Raises:
        OSError: the folder cannot be written.
    """
    write_object(model_directory / ROLLOUT_RECORD, record.to_json())


class Records(Protocol):
    """Where the record of a model's rollouts is."""

    def read(self) -> RolloutRecord | None:
        """Return it; ``None`` if there was no rollout.

        Raises:
            RepositoryError: it is no record.
        """

    def write(self, record: RolloutRecord) -> None:
        """Write it; a reader sees the old one or the new one."""


class FolderRecords:
    """The record in the model's folder alone."""

    def __init__(self, model_directory: Path) -> None:
        """The record in a model's folder."""
        self._model_directory = model_directory

    def read(self) -> RolloutRecord | None:
        """Return it; raises as ``read_rollout_record``."""
        return read_rollout_record(self._model_directory)

    def write(self, record: RolloutRecord) -> None:
        """Write it; raises as ``write_rollout_record``."""
        write_rollout_record(self._model_directory, record)


def _evidence_to_json(evidence: StageEvidence) -> dict[str, Any]:
    return {
        "stage": str(evidence.stage),
        "percent": evidence.percent,
        "arms": evidence.arms.to_json(),
        "shadow": evidence.shadow.to_json(),
        "slow_bound": evidence.slow_bound,
        "slow_from": evidence.slow_from.to_json(),
    }


def _evidence_from_json(value: dict[str, Any]) -> StageEvidence:
    return StageEvidence(
        Stage(value["stage"]),
        value["percent"],
        arms_from_json(value["arms"]),
        ShadowCounts(**value["shadow"]),
        value["slow_bound"],
        arms_from_json(value["slow_from"]),
    )
