"""Plots of a study's learning curves, as PNG files; drawn without a display."""

import math
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.overfitting.diagnosis import Curves, diagnose
from training.reporting.plot_style import HELD_OUT, draw_curves, styled

_WIDE = 3


def plot_network_curves(path: Path, title: str, metric: str, curves: Sequence[Curves]) -> None:
    """Draw each network's errors by epoch, on its own data and on held-out data, side by side.

    All have the same scales, so that what is higher is worse; a dot marks the best epoch.
    """
    high = math.ceil(len(curves) / _WIDE)
    with styled():
        figure = Figure(figsize=(3.2 * _WIDE, 2.5 * high + 0.6), layout="constrained")
        figure.suptitle(title)
        grid = list(figure.subplots(high, _WIDE, sharex=True, sharey=True, squeeze=False).flat)
        for axes, network, verdict in zip(grid, curves, diagnose(curves), strict=False):
            _draw(axes, network)
            axes.set_title(f"{network.name}: {verdict.word}", fontsize="medium")
        for axes in grid[len(curves) :]:
            axes.set_visible(False)
        grid[0].set_ylim(_limits(curves))
        grid[0].legend(fontsize="small")
        figure.supxlabel("epoch", fontsize="medium")
        figure.supylabel(metric, fontsize="medium")
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
