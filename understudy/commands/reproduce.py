"""``reproduce``: train a version again from its card."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training import tasks
from understudy.options import add_model, add_models_folder

if TYPE_CHECKING:
    from understudy.options import Commands


def add(commands: "Commands") -> None:
    reproduce = commands.add_parser(
        "reproduce", help="train a version again from its card, and compare the metrics"
    )
    reproduce.set_defaults(run_command=run)
    add_model(reproduce)
    reproduce.add_argument("version", type=int, metavar="VERSION", help="the version's number")
    reproduce.add_argument("--data", type=Path, metavar="PATH", help="where the data is")
    add_models_folder(reproduce)


def run(options: argparse.Namespace) -> None:
    task = tasks.get(options.model)
    from training.workflows import reproduce as workflow

    workflow.reproduce(task, options.out, options.version, options.data)
