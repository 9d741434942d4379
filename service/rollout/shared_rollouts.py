"""What the replicas of a service share of its rollouts: all counts, and one that decides."""

from pathlib import Path

from service.events.database import Database
from service.events.event_log import EventLog
from service.rollout.deciding_replica import DecidingReplica
from service.rollout.replica_counts import ReplicaCounts
from service.rollout.rollout_tables import RolloutTables


class SharedRollouts:
    """The rollouts of all replicas, as one of them sees them.

    Attributes:
        counts: what the workers of all replicas have counted.
    """

    def __init__(self, database: Database, replica: str) -> None:
        """Rollouts in a database that all replicas use.

        Args:
            database: theirs; nothing is asked of it yet.
            replica: the name of this one.
        """
        self._tables = RolloutTables(database)
        self._replica = replica
        self.counts = ReplicaCounts(self._tables)

    def decider(self, model: str, directory: Path) -> DecidingReplica:
        """Return what knows whether this replica decides on the rollouts of one model.

        Args:
            model: the model's name.
            directory: its folder here.
        """
        return DecidingReplica(self._tables, model, directory, self._replica)


def shared_rollouts_of(events: EventLog | None, replica: str) -> SharedRollouts | None:
    """Return what a replica shares of rollouts; ``None`` where it shares no event store.

    Args:
        events: where it stores events, if it does.
        replica: its name.
    """
    if events is None or not events.store.database.is_shared:
        return None
    return SharedRollouts(events.store.database, replica)
