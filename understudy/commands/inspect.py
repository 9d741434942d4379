"""``inspect``: show what is known of any SavedModel's signatures."""

from pathlib import Path

import click

from understudy.help import PUBLISHED, Command
from understudy.parameter_types import PathName


@click.command(
    cls=Command,
    panel=PUBLISHED,
    short_help="show whether a SavedModel's requests can be batched",
    examples={"inspect saved_models/mpg/2": "one version's signatures"},
)
@click.argument("folder", type=PathName(), help="holds saved_model.pb")
def command(folder: Path) -> None:
    """Show for each signature of a SavedModel whether its rows are independent of each other.

    The service runs requests to such a signature together in one batch.
    """
    from training.workflows import inspect

    inspect.show_independence(folder)
