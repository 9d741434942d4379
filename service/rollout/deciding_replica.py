"""Which of several replicas decides on a model's rollout, and what it has decided.

Both are one row in the database that the replicas share. The one that decides says every other
second that it lives; another takes over when it has seen nothing of that for a while by its own
clock, so that it does not matter whose clock is wrong. A record is written only by the replica that
the row names, and before the policy that follows from it: one that was held up, and does not know
yet that another decides, changes nothing any more.
"""

import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from service.repository.errors import RepositoryError
from service.repository.json_files import object_text, parse_object
from service.repository.policy_changes import change_policy
from service.rollout.rollout_record import (
    RolloutRecord,
    read_rollout_record,
    rollout_record_from_json,
    write_rollout_record,
)
from service.rollout.rollout_tables import RolloutTables

# Between two signs of life, and without any for how long another takes over.
BEAT_S, LEASE_S = 2.0, 10.0

_FIND = "SELECT replica, beat, record FROM understudy_rollouts WHERE model = :model"
_BEAT = """UPDATE understudy_rollouts SET beat = beat + 1
    WHERE model = :model AND replica = :replica"""
_TAKE = """UPDATE understudy_rollouts SET replica = :replica, beat = beat + 1
    WHERE model = :model AND replica = :before AND beat = :beat"""
_LEAVE = """UPDATE understudy_rollouts SET replica = '', beat = beat + 1
    WHERE model = :model AND replica = :replica"""
_WRITE = """UPDATE understudy_rollouts SET record = :record
    WHERE model = :model AND replica = :replica"""
_NOBODY = ""


class DecidingReplica:
    """One model's rollout as one replica sees it; used by one thread."""

    def __init__(
        self,
        tables: RolloutTables,
        model: str,
        directory: Path,
        replica: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A replica that has not looked yet, and has the records for its ``RolloutController``.

        Args:
            tables: what the replicas share.
            model: the model's name.
            directory: the model's folder here.
            replica: the replica's name; another may have the same.
            clock: returns seconds, and never goes back.
        """
        self._tables = tables
        self._model = model
        self._directory = directory
        self._me = f"{replica}/{uuid4().hex[:12]}"
        self._clock = clock
        self._next_look = 0.0
        # The last sign of life of another, and when it was first seen.
        self._seen: tuple[str, int] | None = None
        self._seen_at = 0.0
        self._record: str | None = None
        self._copied: str | None = None
        self.decides = False

    def is_due(self) -> bool:
        """Whether it is time to look."""
        return self._clock() >= self._next_look

    def claim(self) -> bool:
        """Find out whether this replica decides, and become the one that does if none does.

        Returns:
            Whether it does.

        Raises:
            StoreError: the database cannot be used now.
            RepositoryError: the policy cannot be brought up to date, which goes before deciding.
            OSError: the model's folder cannot be written.
        """
        self._next_look = self._clock() + BEAT_S
        with self._tables.transaction() as run:
            if self.decides:
                self.decides = run.change(_BEAT, self._key(replica=self._me)) > 0
            found = run.rows(_FIND, self._key())
            if not found:
                first = (self._model, _NOBODY, 0)
                run.insert_new("understudy_rollouts", ("model", "replica", "beat"), [first])
                found = run.rows(_FIND, self._key())
            ((replica, beat, self._record),) = found
        if not self.decides and self._is_free(replica, beat):
            # What another replica, or somebody by hand, has put in force meanwhile.
            change_policy(self._directory, lambda policy: policy)
            with self._tables.transaction() as run:
                taken = self._key(replica=self._me, before=replica, beat=beat)
                self.decides = run.change(_TAKE, taken) > 0
        self._copy()
        return self.decides

    def read(self) -> RolloutRecord | None:
        """Return the record as the last look found it; ``None`` if there was no rollout.

        Raises:
            RepositoryError: it is no record.
        """
        if self._record is None:
            # The replicas have shared nothing yet.
            return read_rollout_record(self._directory)
        return self._parsed(self._record)

    def write(self, record: RolloutRecord) -> None:
        """Write the record for all replicas, and into the folder of this one.

        Raises:
            RepositoryError: another replica decides by now; nothing is written.
            StoreError: the database cannot be used now; nothing is written.
            OSError: the folder cannot be written.
        """
        text = object_text(record.to_json()).decode()
        with self._tables.transaction() as run:
            self.decides = run.change(_WRITE, self._key(replica=self._me, record=text)) > 0
        if not self.decides:
            raise RepositoryError("Another replica decides on the rollout by now.")
        self._record = self._copied = text
        write_rollout_record(self._directory, record)

    def give_up(self) -> None:
        """Let another replica decide at once, if this one does.

        Raises:
            StoreError: the database cannot be used now; another takes over after a while.
        """
        if self.decides:
            self.decides = False
            with self._tables.transaction() as run:
                run.change(_LEAVE, self._key(replica=self._me))

    def _is_free(self, replica: str, beat: int) -> bool:
        """Whether the deciding replica has sent no heartbeat for longer than its lease."""
        if replica == _NOBODY:
            return True
        now = self._clock()
        if self._seen != (replica, beat):
            self._seen, self._seen_at = (replica, beat), now
        return now - self._seen_at >= LEASE_S

    def _copy(self) -> None:
        """Show here what another one has decided."""
        if self._record is not None and self._record != self._copied:
            write_rollout_record(self._directory, self._parsed(self._record))
            self._copied = self._record

    def _parsed(self, record: str) -> RolloutRecord:
        # What is wrong with it is not the file's fault, which is a copy.
        where = f"The record of {self._model} in the table understudy_rollouts"
        return rollout_record_from_json(parse_object(record.encode(), where), where)

    def _key(self, **others: object) -> dict[str, object]:
        return {"model": self._model, **others}
