"""A run's report for people: one HTML file with everything in it, images included."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.repository.model_card import Card
from training.array_types import Array
from training.console.number_format import flat
from training.data.own.findings import findings_of
from training.evaluation.calibration import uncalibrated
from training.evaluation.metrics import beside_the_headline
from training.evaluation.predictions import ClassificationPredictions, Predictions
from training.publishing.gate_report import GateReport
from training.reporting import plots
from training.reporting.report.filters import FILTERS, TESTS

# The page loads nothing from any network, and runs nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
# Of the evaluation and the training, what has a section of its own.
_ELSEWHERE = ("headline", "calibration", "compared", "interval", "confusion", "per_class")
_GATES_AND_HISTORY = ("gates", "last_epoch", "git_commit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """An example that was answered wrongly.

    Attributes:
        shown: the example: an image, uint8 [height, width] or [height, width, 3], or a text.
        truth: what it is.
        answer: what it was taken for.
    """

    shown: Array | str
    truth: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """What a report shows.

    Attributes:
        settings: of the run, as JSON.
        history: its epochs.
        card: of the version.
        answers: those that the version is measured by: to the test set, or of a cross-validation.
        mistakes: the examples that were answered worst, the worst first.
        gates: what they say.
        outcome: what became of the version, in a sentence.
    """

    settings: Mapping[str, Any]
    history: Sequence[Mapping[str, float]]
    card: Card
    answers: Predictions
    mistakes: Sequence[Mistake]
    gates: GateReport
    outcome: str


def write_report(path: Path, data: ReportData) -> None:
    """Write the report; reading it needs no other file and no network."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= FILTERS
    templates.tests |= TESTS
    page = templates.get_template("page.html").render(**_context(data))
    path.write_text(page, encoding="utf-8")


def _context(data: ReportData) -> dict[str, Any]:
    """Return what the template needs, all of it as plain values."""
    card, evaluation, best = data.card, data.card.evaluation, data.card.training["best_epoch"]
    trained = {k: v for k, v in card.training.items() if k not in _GATES_AND_HISTORY}
    settings = {**flat(data.settings), **flat(trained)}
    return {
        "policy": _POLICY,
        "title": f"{card.title}: {card.training['arch']}",
        "card": card,
        "headline": evaluation["headline"],
        "beside": beside_the_headline(evaluation),
        "outcome": data.outcome,
        "gates": data.gates,
        "figures": flat({k: v for k, v in evaluation.items() if k not in _ELSEWHERE}),
        "per_class": evaluation.get("per_class", ()),
        **_predictions(data.answers, evaluation),
        "compared": evaluation.get("compared"),
        "models": _beside_well_known(evaluation),
        "calibration": flat(evaluation.get("calibration") or {}),
        "interval": flat(evaluation.get("interval") or {}),
        "curves": plots.plot_learning_curves(data.history, best),
        "best_epoch": best,
        "epochs": [
            {key: int(value) if key == "epoch" else value for key, value in row.items()}
            for row in data.history
        ],
        "mistakes": data.mistakes,
        "settings": {key: value for key, value in settings.items() if value is not None},
        "data": flat(card.data),
        "findings": findings_of(card.data),
        "environment": {
            **card.libraries,
            "git commit": card.training.get("git_commit") or "not known",
        },
    }


def _predictions(answers: Predictions, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the drawings of what was predicted, and the rows of the confusion matrix."""
    if not isinstance(answers, ClassificationPredictions):
        drawing = plots.plot_predicted_against_true(answers)
        return {"scatter": drawing, "reliability": None, "classes": (), "confusion": ()}
    known = evaluation.get("calibration")
    diagrams = {"Test set": answers}
    if known is not None:
        diagrams = {"Before": uncalibrated(answers, known["temperature"]), "After": answers}
    counts = evaluation["confusion"]["counts"]
    return {
        "scatter": None,
        "reliability": plots.plot_reliability_diagrams(diagrams),
        "classes": answers.names,
        "confusion": list(zip(answers.names, _shaded(counts), strict=True)),
    }


def _shaded(counts: Sequence[Sequence[int]]) -> Iterator[list[tuple[int, str]]]:
    """Return each count of a confusion matrix with the colour of its cell."""
    shares = np.array(counts) / np.maximum(1, np.sum(counts, axis=1, keepdims=True))
    for row, line in enumerate(counts):
        cells = []
        for column, count in enumerate(line):
            colour = "42, 111, 219" if row == column else "224, 123, 31"
            # A few mistakes are worth seeing as well: the shade grows with the root.
            cells.append((count, f"rgba({colour}, {0.8 * shares[row, column] ** 0.5:.3f})"))
        yield cells


def _beside_well_known(evaluation: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Return the errors of well-known models and of this one, the best first."""
    if "compared" not in evaluation:
        return []
    errors = {"this one": evaluation["headline"]["value"], **evaluation["compared"]["models"]}
    return sorted(errors.items(), key=lambda item: float(item[1]))
