"""``reproduce``: train a version again from its card."""

from pathlib import Path

import click

from training import tasks
from understudy.help import TRAINING, Command
from understudy.options import WholeNumber, data_path, model, models_folder


@click.command(
    cls=Command,
    panel=TRAINING,
    short_help="train a version again and compare the figures",
    examples={"reproduce mpg 2": "train version 2 of mpg again"},
)
@model()
@click.argument("version", type=WholeNumber(), help="number of the version")
@data_path()
@models_folder()
def command(model: str, version: int, data: Path | None, out: Path) -> None:
    """Train a version again from the settings in its card, and compare the figures.

    Nothing is published. The exit code is 6 where the headline is outside of the
    card's confidence interval.
    """
    task = tasks.get(model)
    from training.workflows import reproduce as workflow

    workflow.reproduce(task, out, version, data)
