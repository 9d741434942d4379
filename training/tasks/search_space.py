"""The search space of an architecture: what tuning may try."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Range:
    """A number from ``low`` to ``high``, both included; a whole one where both are.

    ``log`` tries as many values from 1 to 10 as from 10 to 100.
    """

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values that have no order, or none that helps."""

    options: tuple[str | int | float | bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How an architecture is tuned.

    Attributes:
        space: what may be tried, by name: one of ``training.fitting.config.TUNABLE``, or of the
            architecture's own hyperparameters.
        metric: the figure on held-out data that decides, as the training logs it.
        mode: "min" or "max", which of it is better.
        cheaper: hyperparameters of trials alone, which make them cheaper and change nothing in
            the order of their figures.
    """

    space: Mapping[str, Range | Choice]
    metric: str
    mode: Literal["min", "max"]
    cheaper: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the declaration as JSON, to see whether two searches are the same."""
        return {
            "space": {
                name: {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(s).items()}
                for name, s in self.space.items()
            },
            "metric": self.metric,
            "mode": self.mode,
            "cheaper": dict(self.cheaper),
        }
