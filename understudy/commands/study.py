"""``study``: compare networks that over- and underfit."""

from pathlib import Path
from typing import Any

import click

from training import tasks
from training.errors import UsageError
from understudy.help import IMPROVING, Command, Option
from understudy.options import as_json, explicit_settings, model, seed, setting
from understudy.parameter_types import PathName


@click.command(
    cls=Command,
    panel=IMPROVING,
    short_help="train small to large networks, show which overfit",
    examples={
        "study mpg": "about four minutes",
        "study mpg --resume runs/mpg/study-20260102T030405Z": "continue it, or show it again",
    },
)
@model()
@setting("epochs", "N", "passes over the data, at most", "the study's")
@seed()
@setting("data", "PATH", "your data, instead of the standard")
@click.option(
    "--resume",
    cls=Option,
    type=PathName(),
    metavar="STUDY",
    help="continue the study in this folder",
)
@as_json()
def command(model: str, resume: Path | None, json: bool, **settings: Any) -> None:
    """Train small to large networks on the same data, and show which over- and which underfit."""
    task = tasks.get(model)
    from training.fitting import run_folder
    from training.overfitting import study

    given = explicit_settings(settings)
    if resume is None:
        folder = study.create_study_folder(run_folder.RUNS, task, given)
    elif given:
        raise UsageError("--resume takes all settings from the study: no option goes with it.")
    else:
        folder = resume
    try:
        study.run_study(task, folder, as_json=json)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted. To continue: understudy study {task.name} --resume {folder}"
        ) from None
