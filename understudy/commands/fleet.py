"""``fleet``: train and publish many models, here or on a Ray cluster."""

from pathlib import Path

import click

from understudy.help import TRAINING, Command, Option
from understudy.options import WholeNumber, cluster
from understudy.parameter_types import PathName


@click.command(
    cls=Command,
    panel=TRAINING,
    short_help="train many models of few kinds, here or on Ray",
    examples={
        "fleet shops.toml --jobs 2": "train each model that has new data, two at a time",
        "fleet shops.toml --on auto": "on the Ray cluster of this machine",
    },
)
@click.argument("fleet", type=PathName(), help="TOML file with its trainings")
@click.option(
    "--jobs",
    cls=Option,
    type=WholeNumber(),
    default=1,
    show_default=True,
    metavar="N",
    help="trainings at a time on this machine",
)
@cluster()
@click.option(
    "--metrics-file",
    cls=Option,
    type=PathName(),
    metavar="FILE",
    help="result for Prometheus' textfile collector",
)
def command(fleet: Path, jobs: int, on: str | None, metrics_file: Path | None) -> None:
    """Train and publish each model of a fleet whose data is new; continue an interrupted fleet.

    Exit codes: 0 all that had new data were published, 3 a gate refused one, 1 one failed.
    """
    from training.fleet.fleet_file import read_fleet
    from training.fleet.fleet_training import train_fleet
    from training.workflows.prometheus_textfile import check_place

    if metrics_file is not None:
        check_place(metrics_file)
    members = read_fleet(fleet)
    try:
        train_fleet(fleet.stem, members, jobs=jobs, cluster=on, metrics_file=metrics_file)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Interrupted. Run the same command to continue.") from None
