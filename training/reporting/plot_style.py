"""The style of plots, and the curves of one network that several plots share."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

TRAINING, HELD_OUT, GUIDE = "#2a6fdb", "#e07b1f", "#98a2b3"
_STYLE: Any = {
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#667085",
    "axes.grid": True,
    "grid.color": "#eceff3",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "understudy",  # the same drawing gives the same file
}


def styled() -> AbstractContextManager[None]:
    """Return the context to draw and to save in."""
    return rc_context(_STYLE)


def draw_curves(
    axes: Axes, epochs: Sequence[float], training: Sequence[float], held_out: Sequence[float]
) -> None:
    """Draw a figure by epoch, on what a network learned from and on held-out rows."""
    marker = "o" if len(epochs) == 1 else None  # of one point there is no line
    axes.plot(epochs, training, label="training", color=TRAINING, marker=marker)
    axes.plot(epochs, held_out, label="held out", color=HELD_OUT, marker=marker)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
