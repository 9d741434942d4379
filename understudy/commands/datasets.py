"""``datasets``: show what data is where, or what is in one."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training import tasks
from training.workflows import inspect

if TYPE_CHECKING:
    from understudy.options import Commands


def add(commands: "Commands") -> None:
    data_sets = commands.add_parser(
        "datasets", help="show what data is where; of one model, what is in it and what is bad"
    )
    data_sets.set_defaults(run_command=run)
    data_sets.add_argument(
        "model", metavar="MODEL", nargs="?", help="read its data, and tell all bad rows"
    )
    data_sets.add_argument("--data", type=Path, metavar="PATH", help="look only there")


def run(options: argparse.Namespace) -> None:
    if options.model is None:
        inspect.show_data_sets(options.data)
    else:
        inspect.show_data(tasks.get(options.model), options.data)
