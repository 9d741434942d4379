"""``list``: show models, versions and metrics."""

from pathlib import Path

import click

from understudy.help import PUBLISHED, Command
from understudy.options import as_json, models_folder, published_model


@click.command(
    cls=Command,
    panel=PUBLISHED,
    short_help="show models, versions and their quality",
    examples={
        "list": "all versions in saved_models/",
        "list mpg": "those of one model",
        "list --json": "for programs",
    },
)
@published_model("this model alone", required=False)
@models_folder()
@as_json()
def command(model: str | None, out: Path, json: bool) -> None:
    """Show the published versions of all models, which of them serve, and how good they are."""
    from training.workflows import published_versions

    published_versions.show(out, model, as_json=json)
