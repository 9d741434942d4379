"""What answers for a model at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.runtime.servable import Servable
from service.runtime.worker_agreement import ServingPlan


@dataclass(frozen=True, slots=True)
class ServingVersions:
    """What answers for a model; replaced as a whole, so that a reader needs no lock.

    Attributes:
        servables: the versions that answer.
        labels: other names for some of them.
    """

    servables: Mapping[int, Servable] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)

    @property
    def latest(self) -> Servable | None:
        """The version that answers requests which name none."""
        return self.servables[max(self.servables)] if self.servables else None

    @property
    def plan(self) -> ServingPlan:
        """The plan that this carries out."""
        return ServingPlan(tuple(sorted(self.servables)), self.labels)
