"""``evaluate``: measure a published version again."""

from pathlib import Path
from typing import Any

import click

from training import tasks
from training.fitting import config
from understudy.help import PUBLISHED, Command, Option
from understudy.options import (
    WholeNumber,
    as_json,
    data_path,
    explicit_settings,
    max_bad_rows,
    model,
    models_folder,
)


@click.command(
    cls=Command,
    panel=PUBLISHED,
    short_help="measure a version again on the full test set",
    examples={
        "evaluate clothing": "the highest version",
        "evaluate clothing --version 2 --json": "one version, for programs",
    },
)
@model()
@click.option(
    "--version",
    cls=Option,
    type=WholeNumber(),
    metavar="N",
    shown="the highest",
    help="number of the version",
)
@data_path()
@max_bad_rows()
@models_folder()
@as_json()
def command(
    model: str, version: int | None, data: Path | None, out: Path, json: bool, **settings: Any
) -> None:
    """Measure a published version on the full test set, beside what its card claims."""
    task = tasks.get(model)
    share = explicit_settings(settings).get("max-bad-rows", config.DEFAULT_MAX_BAD_ROWS)
    from training.workflows import evaluate

    evaluate.evaluate(task, out, version, data, share, as_json=json)
