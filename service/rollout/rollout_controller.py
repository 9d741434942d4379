"""Decides on the rollout of one model, and puts its decisions in force.

A decision is written to ``rollout.json`` first and to ``policy.json`` then. A controller that is
killed in between finds the policy as it was before the decision, and puts the decision in force
then; so the next controller continues where the last one stopped.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from service.monitoring.logs import log
from service.repository.errors import RepositoryError
from service.repository.model_policy import (
    Policy,
    read_policy,
    rollout_completed,
    rollout_undone,
)
from service.repository.policy_changes import change_policy
from service.repository.rollout_policy import Rollout, Stage
from service.rollout.assessment import Action, StageEvidence, Verdict, assess
from service.rollout.paired_quality import PairedQuality
from service.rollout.rollout_record import (
    BY_HAND,
    LIVE,
    ROLLED_BACK,
    FolderRecords,
    Records,
    RolloutRecord,
    begin_rollout_record,
)
from service.runtime.traffic_split import TrafficSplit

# Between writes of the record while nothing is decided.
_WRITE_S = 5.0

ReadCounts = Callable[[TrafficSplit], StageEvidence]
ReadQuality = Callable[[Rollout, PairedQuality | None], PairedQuality]
Versions = Callable[[], set[int]]
NoteDecision = Callable[[str], None]


class _SupersededError(Exception):
    """The policy holds another rollout, or none, or has been changed by hand."""


class RolloutController:
    """Decides on a model's rollouts; only one process may call ``step`` at a time.

    Attributes:
        record: the record as it was last read or written.
        verdict: what was made of the evidence last; ``None`` if it has not been looked at.
    """

    def __init__(
        self,
        model: str,
        directory: Path,
        read_counts: ReadCounts,
        *,
        run: str,
        versions: Versions,
        refusal: Callable[[int], str],
        note: NoteDecision = lambda decision: None,
        records: Records | None = None,
        read_quality: ReadQuality | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A controller that has decided nothing yet.

        Args:
            model: the model's name.
            directory: the model's folder.
            read_counts: returns what the workers of this run of the service have counted.
            run: names those whose counts ``read_counts`` knows: what others have counted is added.
            versions: returns the versions on disk.
            refusal: returns why a version cannot serve, in a sentence; empty if it can.
            note: is called with each decision.
            records: where the record is; in the model's folder unless given.
            read_quality: returns what audits say of a rollout's versions now, and is given what
                was known before; ``None`` where no truths are stored.
            clock: returns seconds of a monotonic clock.
        """
        self._model = model
        self._directory = directory
        self._read_counts = read_counts
        self._run = run
        self._versions = versions
        self._refusal = refusal
        self._note = note
        self._records = FolderRecords(directory) if records is None else records
        self._read_quality = read_quality
        self.record: RolloutRecord | None = None
        self.verdict: Verdict | None = None
        self._write_at = 0.0
        self._clock = clock
        # The stage that is watched, and when it would have begun had it been watched at once.
        self._stage: tuple[str, int] | None = None
        self._watched_from = 0.0

    def step(self) -> bool:
        """Look at the evidence once, and decide if it decides.

        Returns:
            Whether a rollout is under way.

        Raises:
            RepositoryError: policy or record cannot be read, or somebody holds the policy.
            OSError: one of them cannot be written.
        """
        policy = read_policy(self._directory)
        rollout = policy.rollout
        try:
            self.record = record = self._records.read()
        except RepositoryError:
            self.record = None
            if rollout is None:
                # It was ended by hand, and nothing waits for its record any more.
                return False
            raise
        if (
            record is not None
            and not record.outcome
            and (rollout is None or rollout.id != record.rollout.id)
        ):
            record.outcome = BY_HAND
            self._decide(record, BY_HAND, "The policy was changed while it was under way.", {})
        if rollout is None:
            return False
        if record is None or record.rollout.id != rollout.id:
            self.record = record = begin_rollout_record(rollout, record)
            self._decide(record, *_beginning(rollout), {})
        elif not self._is_in_step(record, rollout):
            return not record.outcome
        record.rollout = replace(record.rollout, rules=rollout.rules)
        if rollout.candidate is None:
            return True
        if policy.unloaded:
            # Nothing of it is seen meanwhile, so this time does not count.
            self._stage = None
            return True
        self._look(record)
        return not record.outcome

    def follow(self) -> bool:
        """Look at what another replica has decided.

        Returns:
            Whether a rollout is under way.

        Raises:
            RepositoryError: policy or record cannot be read.
        """
        self.record, self.verdict = self._records.read(), None
        if read_policy(self._directory).rollout is not None:
            return True
        return self.record is not None and not self.record.outcome

    def _is_in_step(self, record: RolloutRecord, rollout: Rollout) -> bool:
        """Whether policy and record say the same; else bring the one that is behind up."""
        known, before = record.rollout, record.before
        if not record.outcome and _place(rollout) == _place(known):
            return True
        if record.outcome or (before is not None and _place(rollout) == _place(before)):
            # The last controller came only as far as the record.
            self._put_in_force(record, rollout)
        else:
            by_hand = ("changed by hand", "The policy was changed by hand.")
            decision, reason = by_hand if known.candidate is not None else _beginning(rollout)
            record.enter(rollout, reason)
            self._decide(record, decision, reason, {})
        return False

    def _look(self, record: RolloutRecord) -> None:
        rollout = record.rollout
        assert rollout.candidate is not None
        if reason := self._refusal(rollout.candidate):
            self._act(record, Verdict(Action.ROLL_BACK, f"It cannot serve: {reason}", {}))
            return
        is_another_run = self._gather(record, rollout)
        if self._read_quality is not None:
            record.quality = self._read_quality(rollout, record.quality)
        record.elapsed_s = self._watched_s(record)
        self.verdict = verdict = assess(
            rollout, record.stages, elapsed_s=record.elapsed_s, quality=record.quality
        )
        if verdict.action is Action.WAIT or (verdict.action is Action.HOLD and record.held):
            record.reason = verdict.reason
            if is_another_run or self._clock() >= self._write_at:
                self._write_at = self._clock() + _WRITE_S
                self._records.write(record)
            return
        self._act(record, verdict)

    def _watched_s(self, record: RolloutRecord) -> float:
        """Return for how long the present stage has been watched, by all who controlled it.

        The time of day would not do: one that is set forward shortens a step, one that is set back
        holds it, and while no service runs harm is not seen.
        """
        stage, now = (record.rollout.id, len(record.stages)), self._clock()
        if stage != self._stage:
            self._stage, self._watched_from = stage, now - record.elapsed_s
        return max(record.elapsed_s, now - self._watched_from)

    def _gather(self, record: RolloutRecord, rollout: Rollout) -> bool:
        """Bring the present stage's evidence up to date.

        Returns:
            Whether another run of the service counts, which the next look must find in the record.
        """
        assert rollout.candidate is not None
        found = self._read_counts(
            TrafficSplit(
                rollout.id, rollout.champion, rollout.candidate, rollout.stage, rollout.percent
            )
        )
        return record.count(self._run, found)

    def _act(self, record: RolloutRecord, verdict: Verdict) -> None:
        rollout = record.rollout
        if verdict.action is Action.HOLD:
            record.held = True
            decision = "held"
        elif verdict.action is Action.ROLL_BACK:
            record.before, record.outcome = rollout, ROLLED_BACK
            decision = ROLLED_BACK
        elif rollout.stage is Stage.BAKING:
            record.before, record.outcome = rollout, LIVE
            decision = LIVE
        else:
            following = rollout.advanced()
            decision = "promoted" if following.stage is Stage.BAKING else "next step"
            self._decide(record, decision, verdict.reason, verdict.numbers, following=following)
            self._put_in_force(record, rollout)
            return
        self._decide(record, decision, verdict.reason, verdict.numbers)
        if record.outcome:
            self._put_in_force(record, rollout)

    def _decide(
        self,
        record: RolloutRecord,
        decision: str,
        reason: str,
        numbers: dict[str, Any],
        *,
        following: Rollout | None = None,
    ) -> None:
        decided = record.rollout
        record.reason = reason
        record.note(decision, reason, numbers)
        if following is not None:
            record.enter(following, reason)
        # First, because what cannot be written is decided again at each look.
        self._records.write(record)
        is_bad = decision in (ROLLED_BACK, "held")
        log(
            logging.WARNING if is_bad else logging.INFO,
            f"Rollout: {decision}.",
            model=self._model,
            version=decided.candidate,
            champion=decided.champion,
            reason=reason,
            percent=decided.percent,
            numbers=numbers,
        )
        self._note(decision)

    def _put_in_force(self, record: RolloutRecord, seen: Rollout) -> None:
        """Write the policy that the record's last decision asks for.

        Args:
            record: the record, which is written already.
            seen: the rollout as the policy had it; if it has not any more, nothing is changed,
                and the next step sees what is there.
        """

        def changed(policy: Policy) -> Policy:
            if policy.rollout is None or policy.rollout.id != seen.id:
                raise _SupersededError
            if _place(policy.rollout) != _place(seen):
                raise _SupersededError
            if record.outcome == LIVE:
                return rollout_completed(policy, self._versions())
            if record.outcome:
                return rollout_undone(policy, self._versions())
            return replace(policy, rollout=replace(record.rollout, rules=policy.rollout.rules))

        try:
            change_policy(self._directory, changed)
        except _SupersededError:
            self._yield(record)
            raise RepositoryError("The policy was changed meanwhile.") from None

    def _yield(self, record: RolloutRecord) -> None:
        """Withdraw an outcome because the policy was changed by somebody else before.

        Where the policy is in an object store, the one in the model's folder may be older than
        that change; from now on it is not.
        """
        policy = change_policy(self._directory, lambda policy: policy)
        is_over = policy.rollout is None or policy.rollout.id != record.rollout.id
        if record.outcome and is_over:
            record.outcome = BY_HAND
            reason = "The policy was changed before this was in force."
            self._decide(record, BY_HAND, reason, {})


def _beginning(rollout: Rollout) -> tuple[str, str]:
    if rollout.candidate is None:
        return "waiting", "Its candidate is not published yet."
    return "begin", f"Version {rollout.candidate} is on trial."


def _place(rollout: Rollout) -> tuple[object, ...]:
    return rollout.candidate, rollout.stage, rollout.percent
