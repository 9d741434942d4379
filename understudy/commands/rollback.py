"""``rollback``: serve the version before again."""

from pathlib import Path

import click

from understudy.help import PUBLISHED, Command
from understudy.options import models_folder, published_model


@click.command(
    cls=Command,
    panel=PUBLISHED,
    short_help="serve the previous version again, and pin it",
    examples={"rollback mpg": "back to the version before"},
)
@published_model()
@models_folder()
def command(model: str, out: Path) -> None:
    """Serve the previous version again without a restart.

    The version stays pinned until `understudy serve-policy MODEL --latest 1` unpins it.
    """
    from training.publishing import version_policy

    version_policy.roll_back(out, model)
