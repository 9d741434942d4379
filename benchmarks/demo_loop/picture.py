"""The demonstration as a picture: live error over time, and what happened when."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.demo_loop.loop_story import Story

# Seconds that a point of the curve is the mean over.
_WINDOW_S = 5.0


def draw_story(story: Story, path: Path) -> None:
    """Draw the mean absolute error of all clients, in mi/gal, over seconds.

    Raises:
        OSError: the file cannot be written.
    """
    answers = story.clients.answers
    at, errors = np.array([each.at for each in answers]), np.array([each.error for each in answers])
    versions = np.array([each.version for each in answers])
    figure, axes = plt.subplots(figsize=(9, 4.2), layout="constrained")
    for number, version in enumerate(np.unique(versions).tolist()):
        chosen = versions == version
        axes.plot(
            at[chosen],
            errors[chosen],
            ".",
            alpha=0.12,
            color=f"C{number}",
            markersize=3,
            rasterized=True,
        )
    edges = np.arange(0.0, at.max() + _WINDOW_S, _WINDOW_S)
    places = np.digitize(at, edges)
    middles = [edges[i - 1] + _WINDOW_S / 2 for i in np.unique(places)]
    means = [errors[places == i].mean() for i in np.unique(places)]
    axes.plot(middles, means, color="black", linewidth=1.5)
    top = float(np.quantile(errors, 0.97))
    for moment, text in story.marks[:-1]:
        axes.axvline(moment, color="grey", linewidth=0.6)
        axes.text(moment, top, f" {text}", rotation=90, fontsize=6, va="top")
    axes.set(
        xlabel="seconds",
        ylabel="error of live answers, mi/gal",
        ylim=(0, top),
        xlim=(0, float(at.max())),
        title="Points: answers, by version. Line: their mean over 5 s.",
    )
    figure.savefig(path)
    plt.close(figure)
