"""The plots of a report, as SVG."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.calibration import Bin, calibration_error, reliability
from training.evaluation.predictions import ClassificationPredictions, RegressionPredictions
from training.reporting.plot_style import GUIDE, HELD_OUT, TRAINING, draw_curves, styled


def plot_learning_curves(history: Sequence[Mapping[str, float]], best: int) -> str:
    """Draw each figure that is known of the training and of the held-out rows, by epoch.

    Args:
        history: one row an epoch.
        best: the epoch whose weights were kept, from 1.
    """
    epochs = [row["epoch"] for row in history]
    names = [name for name in history[0] if f"val_{name}" in history[0]]
    with styled():
        drawing = Figure(figsize=(8.4, 3.0), layout="constrained")
        for axes, name in zip(_row(drawing, len(names)), names, strict=True):
            training, held_out = ([row[key] for row in history] for key in (name, f"val_{name}"))
            draw_curves(axes, epochs, training, held_out)
            axes.axvline(best, color=GUIDE, linestyle=":", linewidth=1)
            axes.set(xlabel="epoch", title=name)
        drawing.axes[0].legend()
        return _svg(drawing)


def plot_reliability_diagrams(answers: Mapping[str, ClassificationPredictions]) -> str:
    """Draw confidence against accuracy, one diagram for each name."""
    with styled():
        drawing = Figure(figsize=(4.2 * len(answers), 3.9), layout="constrained")
        for axes, (name, of) in zip(_row(drawing, len(answers)), answers.items(), strict=True):
            error = calibration_error(of.probabilities, of.labels)
            _reliability(axes, reliability(of), len(of.labels))
            axes.set(title=f"{name}: expected calibration error {error:.4f}")
        return _svg(drawing)


def plot_predicted_against_true(answers: RegressionPredictions) -> str:
    """Draw what was estimated for each true number."""
    predicted = answers.predicted.mean(axis=0)
    ends = [
        float(min(answers.actual.min(), predicted.min())),
        float(max(answers.actual.max(), predicted.max())),
    ]
    with styled():
        drawing = Figure(figsize=(8.4, 3.9), layout="constrained")
        left, right = _row(drawing, 2)
        left.plot(ends, ends, color=GUIDE, linewidth=1)
        left.scatter(answers.actual, predicted, s=10, color=TRAINING, alpha=0.5, linewidths=0)
        left.set(xlabel=f"true, {answers.unit}", ylabel=f"predicted, {answers.unit}")
        left.set_aspect("equal")
        right.hist(predicted - answers.actual, bins=40, color=TRAINING)
        right.axvline(0, color=GUIDE, linewidth=1)
        right.set(xlabel=f"predicted less true, {answers.unit}", ylabel="examples")
        return _svg(drawing)


def _reliability(axes: Axes, bins: Sequence[Bin], examples: int) -> None:
    axes.plot([0, 1], [0, 1], color=GUIDE, linewidth=1)
    lows, widths = [b.low for b in bins], [b.high - b.low for b in bins]
    axes.bar(
        lows,
        [b.accuracy for b in bins],
        widths,
        align="edge",
        color=TRAINING,
        alpha=0.75,
        edgecolor="white",
        label="share that is right",
    )
    axes.bar(
        lows,
        [b.count / examples for b in bins],
        widths,
        align="edge",
        color=HELD_OUT,
        alpha=0.75,
        edgecolor="white",
        label="share of all examples",
    )
    axes.plot(
        [b.confidence for b in bins],
        [b.accuracy for b in bins],
        "o",
        color="#1d2330",
        markersize=3,
        label="mean confidence",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share")
    axes.set_aspect("equal")
    axes.legend(loc="upper left")


def _row(drawing: Figure, count: int) -> list[Axes]:
    axes: Any = drawing.subplots(1, count, squeeze=False)
    return list(np.ravel(axes))


def _svg(drawing: Figure) -> str:
    file = io.StringIO()
    drawing.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()
