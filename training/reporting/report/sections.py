"""The parts of a report: each makes a section of the page from what a run left."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.repository.card import Card
from training.console.number_format import flat
from training.data.own.findings import findings_of
from training.evaluation.calibration import uncalibrated
from training.evaluation.metrics import beside_the_headline
from training.evaluation.predictions import Predictions, RegressionPredictions
from training.publishing.gates import GateReport
from training.reporting import plots
from training.reporting.report.html import Markup, details, pairs, picture, section, svg, table, tag
from training.types import Array

# Of a long text so much is shown.
_SHOWN_CHARACTERS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """An example that was answered badly.

    Attributes:
        shown: the example: a picture, uint8 [height, width] or [height, width, 3], or a text.
        truth: what it is.
        answer: what it was taken for.
    """

    shown: Array | str
    truth: str
    answer: str


def head(card: Card, report: GateReport, *, publish: bool) -> Iterator[Markup]:
    """Say what was trained, how good it is, and whether it was not to be published."""
    headline = card.evaluation["headline"]
    sure = ""
    if "low" in headline:
        sure = f" (95 % confidence: {headline['low']:.4f} to {headline['high']:.4f})"
    yield tag("h1", f"{card.title}: {card.training['arch']}")
    yield tag("p", card.description, class_="faint")
    yield tag(
        "p",
        f"{headline['name']}: ",
        tag("strong", f"{headline['value']:.4f}"),
        sure,
        class_="headline",
    )
    verdict = "All gates are passed." if report.passed else "A gate refuses this version."
    kept_back = "" if publish else " Not published, as the settings say."
    told = f"{kept_back} Exported {card.created_at}."
    yield tag("p", _verdict(report.passed, verdict), told)
    for line in beside_the_headline(card.evaluation):
        yield tag("p", line)


def live_version(report: GateReport) -> Markup:
    """Say what the gates say, and how the version compares with the live one."""
    with_whom = (
        "There is no live version to compare with."
        if report.live is None
        else f"Compared with live version {report.live}."
    )
    rows = [
        (
            result.gate,
            _verdict(result.passed, "passed" if result.passed else "refused"),
            result.sentence,
        )
        for result in report.results
    ]
    return section(
        "Gates and the live version",
        tag("p", with_whom),
        table(("gate", "", "why"), rows) if rows else None,
    )


def configuration(settings: Mapping[str, Any], training: Mapping[str, Any]) -> Markup:
    """Say with which settings it was trained, and what came of them."""
    # The gates, the epochs and the commit have places of their own.
    elsewhere = ("gates", "last_epoch", "git_commit")
    known = flat({key: value for key, value in training.items() if key not in elsewhere})
    told = {key: value for key, value in {**flat(settings), **known}.items() if value is not None}
    return section("Configuration", pairs(told))


def data(card: Card) -> Markup:
    """Say what it learned from, and what is to be remarked of it."""
    rows = [
        (_verdict(not found.blocks, "settle first" if found.blocks else ""), found.sentence)
        for found in findings_of(card.data)
    ]
    return section(
        "Data", pairs(flat(card.data)), table(("", "what was noticed"), rows) if rows else None
    )


def learning(history: Sequence[Mapping[str, float]], best: int) -> Markup:
    """Show how the training went."""
    names = list(history[0])
    rows = [[int(row[n]) if n == "epoch" else row[n] for n in names] for row in history]
    kept = f"The dotted line is epoch {best}, whose weights were kept."
    return section(
        "Learning curves",
        svg(plots.learning_curves(history, best), "Loss and metric by epoch"),
        tag("p", kept, class_="faint"),
        details(f"All {len(rows)} epochs", table(names, rows)),
    )


def quality(card: Card, answers: Predictions) -> Markup:
    """Show the figures, and where the answers are right and where they are not."""
    plain = {
        key: value
        for key, value in card.evaluation.items()
        if key not in ("headline", "calibration", "compared", "interval", "confusion")
    }
    if isinstance(answers, RegressionPredictions):
        shown = svg(plots.predicted_against_true(answers), "Predicted against true numbers")
        return section("Predicted against true", shown, pairs(flat(plain)))
    classes = card.evaluation["per_class"]
    return section(
        "Confusion matrix",
        tag("p", "Rows are the true classes, columns the predicted ones.", class_="faint"),
        _confusion(answers.names, card.evaluation["confusion"]["counts"]),
        tag("h3", "Each class"),
        table(list(classes[0]), [list(row.values()) for row in classes]),
        tag("h3", "All together"),
        pairs(flat(plain)),
    )


def others(evaluation: Mapping[str, Any]) -> Markup:
    """Show how well-known models do on the same examples.

    Args:
        evaluation: of the card, with ``compared``: ``how`` in a sentence, ``unit``, and
            ``models``, each name's figure.
    """
    compared = evaluation["compared"]
    figures = {"this one": evaluation["headline"]["value"], **compared["models"]}
    rows = sorted(figures.items(), key=lambda item: float(item[1]))
    return section(
        "Beside well-known models",
        tag("p", compared["how"]),
        table(("model", f"MAE, {compared['unit']}"), rows),
    )


def calibration(answers: Predictions, evaluation: Mapping[str, Any]) -> Iterator[Markup]:
    """Show whether probabilities, or intervals, keep their word; nothing where there are none."""
    if isinstance(answers, RegressionPredictions):
        if "interval" in evaluation:
            yield section("Prediction intervals", pairs(flat(evaluation["interval"])))
        return
    known = evaluation.get("calibration")
    if known is None:
        diagrams = {"Test set": answers}
    else:
        before = uncalibrated(answers, known["temperature"])
        diagrams = {"Before": before, "After": answers}
    yield section(
        "Calibration",
        svg(plots.reliability_diagrams(diagrams), "Share that is right by confidence"),
        tag(
            "p",
            "On the test set. An answer of confidence 0.8 should be right in 8 of 10 cases: "
            "bars should end at the line.",
            class_="faint",
        ),
        pairs(flat(known)) if known else None,
    )


def worst(mistakes: Sequence[Mistake]) -> Markup:
    """Show the examples that were answered worst."""
    if not mistakes:
        return section("Worst mistakes", tag("p", "There are none."))
    texts = isinstance(mistakes[0].shown, str)
    return section(
        "Worst mistakes",
        tag("div", *map(_mistake, mistakes), class_="mistakes texts" if texts else "mistakes"),
    )


def environment(card: Card) -> Markup:
    """Say what it was made with."""
    commit = card.training.get("git_commit") or "not known"
    return section("Environment", pairs({**card.libraries, "git commit": commit}))


def _verdict(good: bool, text: str) -> Markup:
    return tag("span", text, class_="good" if good else "bad")


def _confusion(names: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    shares = np.array(counts) / np.maximum(1, np.sum(counts, axis=1, keepdims=True))
    rows = []
    for row, name in enumerate(names):
        cells = [tag("th", name, scope="row")]
        for column, count in enumerate(counts[row]):
            colour = "42, 111, 219" if row == column else "224, 123, 31"
            # Few of a class are a mistake worth seeing: their shade grows with the root.
            shade = f"background: rgba({colour}, {0.8 * shares[row, column] ** 0.5:.3f})"
            cells.append(tag("td", count, style=shade))
        rows.append(tag("tr", *cells))
    header = tag("tr", tag("th"), *(tag("th", name, scope="col") for name in names))
    body = tag("table", tag("thead", header), tag("tbody", *rows), class_="confusion")
    return tag("div", body, class_="wide")


def _mistake(mistake: Mistake) -> Markup:
    if isinstance(mistake.shown, str):
        text = mistake.shown
        if len(text) > _SHOWN_CHARACTERS:
            words, _, _ = text[:_SHOWN_CHARACTERS].rpartition(" ")
            text = f"{words or text[:_SHOWN_CHARACTERS]} ..."
        shown = tag("blockquote", text)
    else:
        shown = picture(mistake.shown, mistake.truth)
    caption = tag(
        "figcaption", tag("strong", mistake.truth), tag("br"), f"taken for {mistake.answer}"
    )
    # A long text is read knowing what it was taken for.
    parts = (caption, shown) if isinstance(mistake.shown, str) else (shown, caption)
    return tag("figure", *parts)
