"""``inspect``: say what is known of any SavedModel's signatures."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training.workflows import inspect as workflow

if TYPE_CHECKING:
    from understudy.options import Commands


def add(commands: "Commands") -> None:
    inspect = commands.add_parser(
        "inspect", help="say of any SavedModel whether its requests can run together"
    )
    inspect.set_defaults(run_command=run)
    inspect.add_argument(
        "folder", type=Path, metavar="FOLDER", help="the folder that holds saved_model.pb"
    )


def run(options: argparse.Namespace) -> None:
    workflow.show_independence(options.folder)
