"""What answers for a model at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from service.runtime.servable import Servable
from service.runtime.traffic_split import Trial
from service.runtime.worker_agreement import ServingPlan


@dataclass(frozen=True, slots=True)
class ServingVersions:
    """What answers for a model; replaced as a whole, so that a reader needs no lock.

    Attributes:
        servables: the versions that answer.
        labels: other names for some of them.
        trial: the rollout that is under way, and what it counts; ``None`` without one.
    """

    servables: Mapping[int, Servable] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)
    trial: Trial | None = None

    @property
    def latest(self) -> Servable | None:
        """The version that answers requests which name none; in a rollout the one that leads."""
        if self.trial is not None:
            return self.servables[self.trial.split.leading]
        return self.servables[max(self.servables)] if self.servables else None

    @property
    def live(self) -> int:
        """The number of ``latest``; 0 when there is none."""
        return 0 if self.latest is None else self.latest.version

    def is_swap_from(self, before: "ServingVersions") -> bool:
        """Whether this is more than another step of a rollout in which the same version leads."""
        return self.live != before.live or replace(self.plan, split=None) != replace(
            before.plan, split=None
        )

    @property
    def plan(self) -> ServingPlan:
        """The plan that this carries out."""
        split = None if self.trial is None else self.trial.split
        return ServingPlan(tuple(sorted(self.servables)), self.labels, split)
