"""``rollback``: put the version before back."""

import argparse
from typing import TYPE_CHECKING

from training.publishing import version_policy
from understudy.options import add_models_folder, add_published_model

if TYPE_CHECKING:
    from understudy.options import Commands


def add(commands: "Commands") -> None:
    rollback = commands.add_parser("rollback", help="put the version before back, and pin it")
    rollback.set_defaults(run_command=run)
    add_published_model(rollback)
    add_models_folder(rollback)


def run(options: argparse.Namespace) -> None:
    version_policy.roll_back(options.out, options.model)
