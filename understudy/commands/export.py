"""``export``: take a checkpoint of a run out, in one of three forms."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training import tasks
from training.fitting import run_folder

if TYPE_CHECKING:
    from understudy.options import Commands

_FORMS = ("savedmodel", "keras", "weights")


def add(commands: "Commands") -> None:
    export = commands.add_parser("export", help="take the network out of a run, at any epoch kept")
    export.set_defaults(run_command=run)
    export.add_argument("run", type=Path, metavar="RUN", help="the run folder")
    export.add_argument(
        "--epoch",
        type=int,
        metavar="N",
        help="after so many epochs; the best if not given",
    )
    export.add_argument(
        "--format",
        choices=_FORMS,
        default=_FORMS[0],
        help="to serve; to go on with in Keras; the bare weights (savedmodel)",
    )
    export.add_argument(
        "--to", type=Path, metavar="PATH", help="where to; below RUN/exports if not given"
    )


def run(options: argparse.Namespace) -> None:
    taken = run_folder.open_run(options.run)
    task = tasks.get(taken.settings.model)
    from training.workflows import checkpoint_export

    checkpoint_export.export_checkpoint(task, taken, options.epoch, options.format, options.to)
