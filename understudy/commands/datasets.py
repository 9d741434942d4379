"""``datasets``: show what data is where, or what is in one."""

from pathlib import Path

import click

from training import tasks
from understudy.help import PUBLISHED, Command
from understudy.options import as_json, data_path, model


@click.command(
    cls=Command,
    panel=PUBLISHED,
    short_help="show what data is where, or check your own",
    examples={
        "datasets": "where the standard data is",
        "datasets sentiment --data messages.csv": "check your own data, list bad rows",
    },
)
@model("read the data of this model", required=False)
@data_path()
@as_json()
def command(model: str | None, data: Path | None, json: bool) -> None:
    """Show where the data sets are; of one model, what is in its data and which rows are bad."""
    from training.workflows import datasets

    if model is None:
        datasets.show_all(data, as_json=json)
    else:
        datasets.show_one(tasks.get(model), data, as_json=json)
