"""``train``: train a model and publish its next version."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training import tasks
from training.console.progress import say
from training.errors import UsageError
from training.fitting import config, run_folder
from understudy.options import add_model, add_training_settings, given_settings

if TYPE_CHECKING:
    from understudy.options import Commands

# What a resumed run may do otherwise: none of it changes what is learned.
_KEPT_FREE = {"data", "out", "no-publish", "precision"}


def add(commands: "Commands") -> None:
    train = commands.add_parser("train", help="train a model and publish its next version")
    train.set_defaults(run_command=run)
    add_model(train)
    add_training_settings(train)
    train.add_argument(
        "--no-publish",
        dest="no-publish",
        action="store_true",
        default=argparse.SUPPRESS,
        help="stop after the export in the run folder",
    )
    train.add_argument(
        "--force", action="store_true", help="publish the version even if the gates refuse it"
    )
    train.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="go on with the training in this run folder, with its settings",
    )
    train.add_argument(
        "--from-study",
        metavar="STUDY",
        help="take the best settings that this tuning found: its name, its folder or its file",
    )
    train.add_argument(
        "--storage", metavar="URL", help="the database of --from-study, where it is no file"
    )


def run(options: argparse.Namespace) -> None:
    taken = _taken(options)
    from training.workflows import train as workflow

    try:
        workflow.train(taken, force=options.force)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Interrupted. To go on: "
            f"python -m training train {taken.settings.model} --resume {taken.folder}"
        ) from None


def _taken(options: argparse.Namespace) -> run_folder.Run:
    given = given_settings(options)
    task = tasks.get(options.model)
    if options.storage is not None and options.from_study is None:
        raise UsageError("--storage says where the study of --from-study is: it needs that option.")
    if options.resume is None:
        toml = {} if options.config is None else config.read_toml(options.config)
        if options.from_study is not None:
            from training.tuning import storage

            location = storage.find(run_folder.RUNS, task.name, options.from_study, options.storage)
            settings = storage.winner(location).settle(task, toml, given)
            say(f"settings of {settings.from_study}")
            return run_folder.create(run_folder.RUNS, settings)
        return run_folder.create(
            run_folder.RUNS, config.resolve(task.name, task.architectures, toml, given)
        )
    if options.config is not None or options.from_study or given.keys() - _KEPT_FREE:
        raise UsageError(
            "--resume takes what decides the training from the run: "
            "only --data, --out, --precision, --no-publish and --force go with it."
        )
    run = run_folder.open_run(options.resume)
    if run.settings.model != task.name:
        raise UsageError(f"{options.resume} is a run of {run.settings.model}, not of {task.name}.")
    return run.taken_up(given)
