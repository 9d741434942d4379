"""``train``: train a model and publish its next version."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import config, runs, tasks
from training.errors import UsageError
from training.options import add_max_bad_rows, add_model, add_setting

if TYPE_CHECKING:
    from training.options import Commands

# What a resumed run may do otherwise: none of it changes what is learned.
_KEPT_FREE = {"data", "out", "no-publish"}


def add(commands: "Commands") -> None:
    train = commands.add_parser("train", help="train a model and publish its next version")
    train.set_defaults(run_command=run)
    add_model(train)
    add_setting(train, "arch", "NAME", "its network: default, or the small one of the tutorials")
    add_setting(train, "epochs", "N", "how often to go through the training data")
    add_setting(train, "batch-size", "N", "examples in a step")
    add_setting(train, "learning-rate", "X", "the highest that the schedule reaches")
    add_setting(train, "seed", "N", f"decides all that is random ({config.DEFAULT_SEED})")
    add_setting(train, "data", "PATH", "the data; the standard data is searched if not given")
    add_max_bad_rows(train)
    add_setting(train, "init-from", "VERSION", "begin with its weights: live, or its number")
    text = f"of how many of the last epochs to keep the weights ({config.DEFAULT_CHECKPOINTS})"
    add_setting(train, "checkpoints", "N", text)
    add_setting(train, "out", "FOLDER", f"the models to publish into ({config.DEFAULT_OUT})")
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
        "--config", type=Path, metavar="FILE", help="TOML file with any of the options above"
    )
    train.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="go on with the training in this run folder, with its settings",
    )


def run(options: argparse.Namespace) -> None:
    taken = _taken(options)
    from training import pipeline

    try:
        pipeline.train(taken, force=options.force)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "Interrupted. To go on: "
            f"python -m training train {taken.settings.model} --resume {taken.folder}"
        ) from None


def _taken(options: argparse.Namespace) -> runs.Run:
    given: Mapping[str, Any] = {
        key: value for key, value in vars(options).items() if key in config.OPTIONS
    }
    task = tasks.get(options.model)
    if options.resume is None:
        toml = {} if options.config is None else config.read_toml(options.config)
        return runs.create(runs.RUNS, config.resolve(task, toml, given))
    if options.config is not None or given.keys() - _KEPT_FREE:
        raise UsageError(
            "--resume takes what decides the training from the run: "
            "only --data, --out, --no-publish and --force go with it."
        )
    run = runs.open_run(options.resume)
    if run.settings.model != task.name:
        raise UsageError(f"{options.resume} is a run of {run.settings.model}, not of {task.name}.")
    return run.taken_up(given)
