"""``rollout.json``: the state of a rollout, and each decision with the numbers behind it."""

import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from service.repository.errors import RepositoryError
from service.repository.json_files import read_optional, write_object
from service.repository.rollout_policy import Rollout, Stage, rollout_from_json
from service.rollout.assessment import StageEvidence
from service.rollout.paired_quality import PairedQuality
from service.rollout.shadow import ShadowCounts, shadow_counts_from_json
from service.runtime.arm_counts import BothArms, arms_from_json

T = TypeVar("T")

ROLLOUT_RECORD = "rollout.json"
# How a rollout ends.
LIVE, ROLLED_BACK, BY_HAND = "live", "rolled back", "ended by hand"
_OUTCOMES = ("", LIVE, ROLLED_BACK, BY_HAND)
# Of what is counted: as numpy's whole numbers.
_MOST = 2**63
# Earlier rollouts that are kept, without their numbers.
_MOST_EARLIER = 20
# Runs of services whose counts of one stage are kept apart. Of more, those that came first are
# added up: they have ended, and take over no more.
_MOST_RUNS = 32
_ADDED_UP = ""


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
        runs: what each run of a service has counted of the present stage, the last one last.
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
    runs: dict[str, StageEvidence] = field(default_factory=dict)
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
        self.stage_began, self.elapsed_s, self.run, self.runs = time.time(), 0.0, "", {}
        self.stages.append(StageEvidence(rollout.stage, rollout.percent))

    def count(self, run: str, found: StageEvidence) -> bool:
        """Bring the present stage's evidence up to date.

        Each run counts from 0, and knows nothing of the others. One that takes over again, where
        two services share a folder of models, goes on with what it has counted before.

        Args:
            run: which run of a service has counted.
            found: all that it has counted of the stage.

        Returns:
            Whether it is another run than the last one.
        """
        is_another_run, self.run = run != self.run, run
        self.runs.pop(run, None)
        self.runs[run] = found
        if len(self.runs) > _MOST_RUNS:
            first, second, *_ = self.runs
            both = _added_up([self.runs.pop(first), self.runs.pop(second)])
            self.runs = {_ADDED_UP: both, **self.runs}
        together = _added_up(self.runs.values())
        self.present.arms, self.present.shadow = together.arms, together.shadow
        return is_another_run

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
        others = [each for run, each in self.runs.items() if run != self.run]
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
            "runs": {run: _evidence_to_json(each) for run, each in self.runs.items()},
            # By which an earlier version of this software goes on.
            "carried": _evidence_to_json(_added_up(others)) if others else None,
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


def rollout_record_from_json(value: dict[str, Any], where: str = ROLLOUT_RECORD) -> RolloutRecord:
    """Return what ``RolloutRecord.to_json`` returned.

    Args:
        value: that.
        where: it was found, for messages.

    Raises:
        RepositoryError: it is not a record.
    """
    try:
        return RolloutRecord(
            rollout_from_json(value["rollout"], where),
            value["before"] and rollout_from_json(value["before"], where),
            _OUTCOMES[_OUTCOMES.index(value["outcome"])],
            _of(str, value["reason"]),
            _of(bool, value["held"]),
            _number(value["stage_began"]),
            # An earlier version went by the clock alone: its stage begins anew.
            _number(value.get("elapsed_s", 0.0)),
            _of(str, value["run"]),
            _runs_from_json(value),
            # The present stage is the last.
            [_evidence_from_json(each) for each in (*value["stages"][:-1], value["stages"][-1])],
            # A record that was written before truths existed has none.
            _quality_from_json(value["quality"]) if value.get("quality") else None,
            _objects(value["decisions"]),
            _objects(value["earlier"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise RepositoryError(f"{where} is not the record of a rollout.") from error


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
    }


def _evidence_from_json(value: dict[str, Any]) -> StageEvidence:
    return StageEvidence(
        Stage(value["stage"]),
        _number(value["percent"]),
        _arms(value["arms"]),
        _shadow(value["shadow"]),
    )


def _runs_from_json(value: dict[str, Any]) -> dict[str, StageEvidence]:
    if "runs" in value:
        return {run: _evidence_from_json(each) for run, each in value["runs"].items()}
    # An earlier version kept them together.
    run = _of(str, value["run"])
    return {run: _evidence_from_json(value["stages"][-1])} if run else {}


def _added_up(evidence: Iterable[StageEvidence]) -> StageEvidence:
    """Return at least one run's evidence of one stage, all together."""
    every = list(evidence)
    return StageEvidence(
        every[0].stage,
        every[0].percent,
        sum((each.arms for each in every), BothArms()),
        sum((each.shadow for each in every), ShadowCounts()),
    )


def _shadow(value: dict[str, Any]) -> ShadowCounts:
    return shadow_counts_from_json({name: _number(count) for name, count in value.items()})


def _arms(value: dict[str, Any]) -> BothArms:
    arms = arms_from_json(value)
    for arm in (arms.champion, arms.candidate):
        for count in asdict(arm).values():
            _count(count)
    return arms


def _quality_from_json(value: dict[str, Any]) -> PairedQuality:
    known = asdict(PairedQuality())
    found: dict[str, Any] = {
        name: _of(str, each) if isinstance(known[name], str) else _number(each)
        for name, each in value.items()
    }
    return PairedQuality(**found)


def _of(kind: type[T], value: Any) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r:.40} is no {kind.__name__}")
    return value


def _number(value: Any) -> Any:
    # Also an int may be larger than any float.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or abs(value) > sys.float_info.max:
        raise TypeError(f"{value!r:.40} is no number")
    return value


def _count(value: Any) -> int:
    if not 0 <= _number(value) < _MOST or not isinstance(value, int):
        raise ValueError(f"{value!r:.40} is no count")
    return value


def _objects(value: Any) -> list[dict[str, Any]]:
    return [_of(dict, each) for each in _of(list, value)]
