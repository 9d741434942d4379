"""``datasets``: show what data is where."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training import inspection

if TYPE_CHECKING:
    from training.options import Commands


def add(commands: "Commands") -> None:
    data_sets = commands.add_parser("datasets", help="show what data is where")
    data_sets.set_defaults(run_command=run)
    data_sets.add_argument("--data", type=Path, metavar="FOLDER", help="look only there")


def run(options: argparse.Namespace) -> None:
    inspection.show_data_sets(options.data)
