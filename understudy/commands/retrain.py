"""``retrain``: train and publish if there is new data; for schedulers."""

from pathlib import Path
from typing import Any

import click

from training import tasks
from training.fitting import config as configuration
from understudy.help import TRAINING, Command, Option
from understudy.options import given_settings, model, training_settings


@click.command(
    cls=Command,
    panel=TRAINING,
    short_help="train and publish if there is new data; for cron",
    examples={
        "retrain mpg --data cars.csv": "train only if the data has changed",
        "retrain mpg --metrics-file /var/lib/node_exporter/mpg.prom": "report to Prometheus",
    },
)
@model()
@training_settings
@click.option(
    "--metrics-file",
    cls=Option,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="result for Prometheus' textfile collector",
    panel="The result",
)
def command(model: str, config: Path | None, metrics_file: Path | None, **settings: Any) -> None:
    """Train and publish a model if its data differs from what published versions learned from.

    Exit codes: 0 published, 3 refused by a gate, 4 no new data, 5 another retraining is running.
    """
    task = tasks.get(model)
    toml = {} if config is None else configuration.read_toml(config)
    given = given_settings(settings)
    resolved = configuration.resolve(task.name, task.architectures, toml, given)
    from training.workflows import retrain as workflow

    workflow.retrain(resolved, metrics_file)
