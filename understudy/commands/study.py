"""``study``: compare networks that over- and underfit."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training import tasks
from training.errors import UsageError
from training.fitting import config, run_folder
from understudy.options import add_model, add_setting

if TYPE_CHECKING:
    from understudy.options import Commands


def add(commands: "Commands") -> None:
    study = commands.add_parser(
        "study", help="train small to large networks, and show which over- and which underfit"
    )
    study.set_defaults(run_command=run)
    add_model(study)
    add_setting(study, "epochs", "N", "how often to go through the data, at most")
    add_setting(study, "seed", "N", f"decides all that is random ({config.DEFAULT_SEED})")
    add_setting(study, "data", "FOLDER", "where the data is; searched and downloaded if not given")
    study.add_argument(
        "--resume", type=Path, metavar="STUDY", help="go on with the study in this folder"
    )


def run(options: argparse.Namespace) -> None:
    task = tasks.get(options.model)
    from training.overfitting import study

    given = {key: value for key, value in vars(options).items() if key in config.OPTIONS}
    if options.resume is None:
        folder = study.create(run_folder.RUNS, task, given)
    elif given:
        raise UsageError("--resume takes all settings from the study: no option goes with it.")
    else:
        folder = options.resume
    try:
        study.run(task, folder)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted. To go on: python -m training study {task.name} --resume {folder}"
        ) from None
