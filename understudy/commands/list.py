"""``list``: show models, versions and metrics."""

from pathlib import Path

import click

from understudy.help import PUBLISHED, Command
from understudy.options import as_json, models_folder


@click.command(
    cls=Command,
    panel=PUBLISHED,
    short_help="show models, versions and their quality",
    examples={"list": "all versions in saved_models/", "list --json": "for programs"},
)
@models_folder()
@as_json()
def command(out: Path, json: bool) -> None:
    """Show the published versions of all models, which of them serve, and how good they are."""
    from training.workflows import published_versions

    published_versions.show(out, as_json=json)
