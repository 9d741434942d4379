"""A version that wants to be published, and what the gates say of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from service.repository.contract import Contract
from training.array_types import Predict
from training.evaluation.predictions import Predictions
from training.tasks.task_interface import Exportable


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version that wants to be published.

    Attributes:
        exportable: what it was exported from.
        predict: calls it.
        answers: its answers to the full test set.
        evaluation: what was measured, as for the card.
        of_own_data: whether a user brought the data: no minimum quality is known for it.
        in_float32: calls it in float32; ``None`` where ``predict`` does.
    """

    exportable: Exportable
    predict: Predict
    answers: Predictions
    evaluation: Mapping[str, Any]
    of_own_data: bool = False
    in_float32: Predict | None = None

    @property
    def contract(self) -> Contract:
        return self.exportable.contract


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What one gate says.

    Attributes:
        gate: its name.
        passed: whether the version may pass.
        sentence: why, with the numbers.
        figures: the numbers as JSON; empty where the sentence says all.
    """

    gate: str
    passed: bool
    sentence: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        value = {"gate": self.gate, "passed": self.passed, "because": self.sentence}
        return value | ({"figures": dict(self.figures)} if self.figures else {})


@dataclass(frozen=True, slots=True)
class GateReport:
    """What all gates say.

    Attributes:
        results: of each gate that had something to look at.
        live: the number of the version that serves; ``None`` when none does.
    """

    results: tuple[GateResult, ...]
    live: int | None

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)

    def refusals(self) -> list[str]:
        """Return the sentences of the gates that were not passed."""
        return [result.sentence for result in self.results if not result.passed]

    def to_json(self) -> dict[str, Any]:
        """Return the report for the card."""
        return {
            "live_version": self.live,
            "passed": self.passed,
            "outcomes": [result.to_json() for result in self.results],
        }
