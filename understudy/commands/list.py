"""``list``: show models, versions and metrics."""

import argparse
from typing import TYPE_CHECKING

from training.workflows import inspect
from understudy.options import add_models_folder

if TYPE_CHECKING:
    from understudy.options import Commands


def add(commands: "Commands") -> None:
    listing = commands.add_parser("list", help="show models, versions and metrics")
    listing.set_defaults(run_command=run)
    add_models_folder(listing)


def run(options: argparse.Namespace) -> None:
    inspect.show_models(options.out)
