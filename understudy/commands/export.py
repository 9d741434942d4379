"""``export``: take a checkpoint of a run out, in one of three forms."""

from pathlib import Path

import click

from training import tasks
from understudy.help import PUBLISHED, Command, Option
from understudy.options import WholeNumber
from understudy.parameter_types import PathName

_FORMS = ("savedmodel", "keras", "weights")


@click.command(
    cls=Command,
    panel=PUBLISHED,
    short_help="take the network of any kept epoch out of a run",
    examples={
        "export runs/mpg/20260102T030405Z": "the best epoch as a SavedModel",
        "export runs/mpg/20260102T030405Z --epoch 58 --format keras": "one epoch for Keras",
    },
)
@click.argument("run", type=PathName(), help="a run folder")
@click.option(
    "--epoch", cls=Option, type=WholeNumber(), metavar="N", shown="the best", help="which epoch"
)
@click.option(
    "--format",
    "form",
    cls=Option,
    type=click.Choice(_FORMS),
    metavar="NAME",
    default=_FORMS[0],
    show_default=True,
    help=f"{_FORMS[0]}, {_FORMS[1]} or {_FORMS[2]}",
)
@click.option(
    "--to",
    cls=Option,
    type=PathName(),
    metavar="PATH",
    shown="RUN/exports/...",
    help="what to write",
)
def command(run: Path, epoch: int | None, form: str, to: Path | None) -> None:
    """Take the network out of a run: as a SavedModel to serve, for Keras, or its weights."""
    from training.fitting import run_folder

    opened = run_folder.open_run(run)
    task = tasks.get(opened.settings.model)
    from training.workflows import checkpoint_export

    checkpoint_export.export_checkpoint(task, opened, epoch, form, to)
