"""Plots of a tuning, as PNG files; drawn without a display."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.reporting.plot_style import GUIDE, HELD_OUT, TRAINING, styled


def plot_history(
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


def plot_importance(path: Path, metric: str, shares: Mapping[str, float]) -> None:
    """Draw each setting's share in how much the trials' figures differ; there is at least one."""
    with styled():
        figure = Figure(figsize=(6.4, 0.4 * max(len(shares), 2) + 1), layout="constrained")
        axes = figure.subplots()
        names = sorted(shares, key=lambda name: shares[name])
        axes.barh(names, [shares[name] for name in names], color=TRAINING)
        axes.set_title(f"importance for {metric}")
        figure.savefig(path, dpi=90)
