"""``tune``: search for better settings of a network."""

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import click

from training import tasks
from training.console.progress import say
from training.errors import UsageError
from training.fitting import config, run_folder
from understudy.help import IMPROVING, Command, Option
from understudy.options import WholeNumber, cluster, explicit_settings, model, seed, setting

if TYPE_CHECKING:
    from training.tasks.task_interface import Task


@click.command(
    cls=Command,
    panel=IMPROVING,
    short_help="search for the best settings of a network",
    examples={
        "tune mpg --trials 20 --jobs 2": "20 trials in two processes",
        "tune mpg --trials 20 --jobs 8 --on auto": "in eight, on this machine's Ray cluster",
        "train mpg --from-study default": "then train with the best",
    },
)
@model()
@click.option(
    "--trials",
    cls=Option,
    type=WholeNumber(),
    required=True,
    metavar="N",
    help="trials in all, with earlier ones",
)
@click.option(
    "--jobs",
    cls=Option,
    type=WholeNumber(),
    default=1,
    show_default=True,
    metavar="N",
    help="processes, at most one a trial",
)
@click.option(
    "--study",
    cls=Option,
    metavar="NAME",
    shown="the network's name",
    help="study to create or resume",
)
@click.option("--storage", cls=Option, metavar="URL", help="SQL database, for several machines")
@cluster()
@setting("arch", "NAME", "the network to tune", "default")
@setting("epochs", "N", "of each trial", "the network's")
@seed()
@setting("data", "PATH", "your data, instead of the standard")
# How the command starts its processes.
@click.option("--worker", cls=Option, type=WholeNumber(0), hidden=True)
def command(
    model: str,
    trials: int,
    jobs: int,
    study: str | None,
    storage: str | None,
    on: str | None,
    worker: int | None,
    **options: Any,
) -> None:
    """Search for the best settings of a network, within the bounds that the model declares.

    The same command continues an interrupted study.
    """
    task = tasks.get(model)
    given = explicit_settings(options)
    settings = config.resolve(task.name, task.architectures, {}, {**given, "no-publish": True})
    if task.architectures[settings.arch].search is None:
        raise UsageError(f"{task.name} declares nothing to tune of its {settings.arch} network.")
    name = settings.arch if study is None else study
    if worker is not None:
        from training.tuning import storage as studies
        from training.tuning import worker as workers

        location = studies.location_of(run_folder.RUNS, task.name, name, storage)
        workers.work(task, location, settings, trials, worker)
        return
    shared = {"study": study, "storage": storage, **given}
    arguments = [
        part
        for key, value in shared.items()
        if value is not None
        for part in (f"--{key}", str(value))
    ]
    process = ["-m", "understudy", "tune", task.name, "--trials", str(trials), *arguments]
    # A process for which there is no trial would load the data for nothing.
    jobs = min(jobs, trials)
    _supervise(task, name, storage, settings, trials, jobs, on, [sys.executable, *process])


def _supervise(
    task: "Task[Any]",
    name: str,
    database: str | None,
    settings: config.Settings,
    trials: int,
    jobs: int,
    on: str | None,
    process: list[str],
) -> None:
    from training.tuning import storage, supervisor
    from training.tuning.cluster_workers import workers_on_ray
    from training.tuning.local_workers import workers_here

    search = task.architectures[settings.arch].search
    assert search is not None
    location = storage.location_of(run_folder.RUNS, task.name, name, database)
    folder = storage.folder_of(run_folder.RUNS, task.name, name)
    folder.mkdir(parents=True, exist_ok=True)
    declared = {key: settings.to_json()[key] for key in ("model", "arch", "epochs", "seed")}
    about = {**declared, "search": search.to_json()}
    study = storage.open_or_create_study(
        location, search.mode, about, task.default_hyperparameters(settings.arch)
    )
    workers: AbstractContextManager[supervisor.Workers]
    if on is None:
        processes = [[*process, "--worker", str(number)] for number in range(jobs)]
        workers = workers_here(folder, processes)
    else:
        workers = workers_on_ray(on, study, location, settings, trials, jobs)
    try:
        supervisor.supervise(study, search, folder, trials, workers)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Interrupted. Run the same command to continue.") from None
    where = f" --storage {location.shown}" if database else ""
    say(f"to train with it: understudy train {task.name} --from-study {name}{where}")
