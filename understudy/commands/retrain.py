"""``retrain``: train and publish if there is new data; for schedulers."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training import tasks
from training.fitting import config
from understudy.options import add_model, add_training_settings, given_settings

if TYPE_CHECKING:
    from understudy.options import Commands


def add(commands: "Commands") -> None:
    retrain = commands.add_parser(
        "retrain", help="train and publish if there is new data; for cron"
    )
    retrain.set_defaults(run_command=run)
    add_model(retrain)
    add_training_settings(retrain)
    retrain.add_argument(
        "--metrics-file",
        type=Path,
        metavar="FILE",
        help="tell Prometheus' textfile collector how it went; ends with .prom",
    )


def run(options: argparse.Namespace) -> None:
    task = tasks.get(options.model)
    toml = {} if options.config is None else config.read_toml(options.config)
    settings = config.resolve(task.name, task.architectures, toml, given_settings(options))
    from training.workflows import retrain as workflow

    workflow.retrain(settings, options.metrics_file)
