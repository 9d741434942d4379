"""A run's report for people: one HTML file with all in it, pictures included."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.repository.card import Card
from training.evaluation.predictions import Predictions
from training.publishing.gates import GateReport
from training.reporting.report import sections
from training.reporting.report.html import page
from training.reporting.report.sections import Mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """What a report tells.

    Attributes:
        settings: of the run, as JSON.
        history: its epochs.
        card: of the version.
        answers: those that the version is judged by: to the test set, or of a cross-validation.
        mistakes: the examples that were answered worst, the worst first.
        gates: what they say.
    """

    settings: Mapping[str, Any]
    history: Sequence[Mapping[str, float]]
    card: Card
    answers: Predictions
    mistakes: Sequence[Mistake]
    gates: GateReport


def write_report(path: Path, data: ReportData) -> None:
    """Write the report; it needs no other file and no network to be read."""
    card = data.card
    # First whether it is good, then why, then how it was made.
    parts = [
        *sections.head(card, data.gates, publish=data.settings.get("publish", True)),
        sections.live_version(data.gates),
        sections.quality(card, data.answers),
    ]
    if "compared" in card.evaluation:
        parts.append(sections.others(card.evaluation))
    parts += [
        *sections.calibration(data.answers, card.evaluation),
        sections.learning(data.history, card.training["best_epoch"]),
        sections.worst(data.mistakes),
        sections.configuration(data.settings, card.training),
        sections.data(card),
        sections.environment(card),
    ]
    title = f"{card.title}: {card.training['arch']}"
    path.write_text(page(title, *parts), encoding="utf-8")
