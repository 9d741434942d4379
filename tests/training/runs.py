"""Reading what a training run has written."""

from training.fitting.run_folder import Run


def figures_of(run: Run) -> list[dict[str, float]]:
    """Return the figures of each epoch, without its time."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.history()]
