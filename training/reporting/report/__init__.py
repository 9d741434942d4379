"""A run's report for people: one HTML file with all in it, pictures included."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.repository.card import Card
from training.evaluation.predictions import Answers
from training.publishing.gates import Judgement
from training.reporting.report import sections
from training.reporting.report.html import page
from training.reporting.report.sections import Mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What a report tells.

    Attributes:
        settings: of the run, as JSON.
        history: its epochs.
        card: of the version.
        answers: those that the version is judged by: to the test set, or of a cross-validation.
        mistakes: the examples that were answered worst, the worst first.
        judgement: of the gates.
    """

    settings: Mapping[str, Any]
    history: Sequence[Mapping[str, float]]
    card: Card
    answers: Answers
    mistakes: Sequence[Mistake]
    judgement: Judgement


def write_report(path: Path, story: Story) -> None:
    """Write the report; it needs no other file and no network to be read."""
    card = story.card
    # First whether it is good, then why, then how it was made.
    parts = [
        *sections.head(card, story.judgement, publish=story.settings.get("publish", True)),
        sections.live_version(story.judgement),
        sections.quality(card, story.answers),
    ]
    if "compared" in card.evaluation:
        parts.append(sections.others(card.evaluation))
    parts += [
        *sections.calibration(story.answers, card.evaluation),
        sections.learning(story.history, card.training["best_epoch"]),
        sections.worst(story.mistakes),
        sections.configuration(story.settings, card.training),
        sections.data(card),
        sections.environment(card),
    ]
    title = f"{card.title}: {card.training['arch']}"
    path.write_text(page(title, *parts), encoding="utf-8")
