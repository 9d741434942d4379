"""Pictures of trainings, as PNG files; drawn without a display."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.overfitting.diagnosis import Curves, judge
from training.reporting.plot_style import GUIDE, HELD_OUT, TRAINING, draw_curves, styled

_WIDE = 3


def learning_curves(path: Path, title: str, metric: str, curves: Sequence[Curves]) -> None:
    """Draw each network's errors by epoch, on its own data and on held-out data, side by side.

    All have the same scales, so that what is higher is worse; a dot marks the best epoch.
    """
    high = math.ceil(len(curves) / _WIDE)
    with styled():
        figure = Figure(figsize=(3.2 * _WIDE, 2.5 * high + 0.6), layout="constrained")
        figure.suptitle(title)
        grid = list(figure.subplots(high, _WIDE, sharex=True, sharey=True, squeeze=False).flat)
        for axes, network, verdict in zip(grid, curves, judge(curves), strict=False):
            _draw(axes, network)
            axes.set_title(f"{network.name}: {verdict.word}", fontsize="medium")
        for axes in grid[len(curves) :]:
            axes.set_visible(False)
        grid[0].set_ylim(_limits(curves))
        grid[0].legend(fontsize="small")
        figure.supxlabel("epoch", fontsize="medium")
        figure.supylabel(metric, fontsize="medium")
        figure.savefig(path, dpi=90)


def history(
    path: Path,
    metric: str,
    mode: Literal["min", "max"],
    ended: Sequence[tuple[int, float]],
    pruned: Sequence[int],
) -> None:
    """Draw a tuning's trials by number, those that ``ended`` with their value, and the best so far.

    ``pruned`` trials, which have no value of their own, are ticks at the foot.
    """
    with styled():
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.subplots()
        numbers = [number for number, _ in ended]
        values = np.array([value for _, value in ended])
        best = (np.minimum if mode == "min" else np.maximum).accumulate(values)
        axes.plot(numbers, values, "o", color=TRAINING, alpha=0.6, label="trial")
        axes.step(numbers, best, where="post", color=HELD_OUT, label="best so far")
        foot = axes.get_xaxis_transform()
        axes.plot(
            pruned, [0.0] * len(pruned), "|", color=GUIDE, transform=foot, ms=12, label="pruned"
        )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("trial")
        axes.set_ylabel(metric)
        axes.legend(fontsize="small")
        figure.savefig(path, dpi=90)


def importance(path: Path, metric: str, shares: Mapping[str, float]) -> None:
    """Draw each setting's share in how much the trials' figures differ."""
    with styled():
        figure = Figure(figsize=(6.4, 0.4 * max(len(shares), 2) + 1), layout="constrained")
        axes = figure.subplots()
        names = sorted(shares, key=lambda name: shares[name])
        axes.barh(names, [shares[name] for name in names], color=TRAINING)
        axes.set_title(f"importance for {metric}" if shares else "too few trials to tell")
        figure.savefig(path, dpi=90)


def _draw(axes: Axes, network: Curves) -> None:
    epochs = range(1, len(network.held_out) + 1)
    draw_curves(axes, epochs, network.train, network.held_out)
    axes.plot(network.best + 1, network.held_out[network.best], "o", color=HELD_OUT)


def _limits(curves: Sequence[Curves]) -> tuple[float, float]:
    """Leave out the first epochs' errors where they would flatten all that comes after."""
    late = [
        value
        for network in curves
        for curve in (network.train, network.held_out)
        for value in curve[len(curve) // 10 :]
    ]
    low, high = min(late), max(late)
    margin = 0.05 * (high - low)
    return low - margin, high + margin
