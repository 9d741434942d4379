"""``tune``: search for better settings of a network."""

import argparse
import sys
from typing import TYPE_CHECKING

from training import tasks
from training.console.progress import say
from training.errors import UsageError
from training.fitting import config, run_folder
from understudy.options import add_model, add_setting

if TYPE_CHECKING:
    from understudy.options import Commands


def add(commands: "Commands") -> None:
    tune = commands.add_parser("tune", help="search for the best settings of a network")
    tune.set_defaults(run_command=run)
    add_model(tune)
    tune.add_argument(
        "--trials",
        type=_count,
        required=True,
        metavar="N",
        help="how many the study is to have in all, those of earlier commands included",
    )
    tune.add_argument("--jobs", type=_count, default=1, metavar="J", help="processes (1)")
    tune.add_argument(
        "--study", metavar="NAME", help="what it goes on with, or begins; the network's name"
    )
    tune.add_argument(
        "--storage",
        metavar="URL",
        help="of an SQL database, for several machines; an SQLite file if not given",
    )
    add_setting(tune, "arch", "NAME", "the network; its search space is declared beside it")
    add_setting(tune, "epochs", "N", "of each trial")
    add_setting(tune, "seed", "N", f"decides all that is random ({config.DEFAULT_SEED})")
    add_setting(tune, "data", "FOLDER", "where the data is; searched and downloaded if not given")
    # How the command starts its processes.
    tune.add_argument("--worker", type=int, help=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> None:
    from training.tuning import storage

    task = tasks.get(options.model)
    given = {key: value for key, value in vars(options).items() if key in config.OPTIONS}
    settings = config.resolve(task.name, task.architectures, {}, {**given, "no-publish": True})
    search = task.architectures[settings.arch].search
    if search is None:
        raise UsageError(f"{task.name} declares nothing to tune of its {settings.arch} network.")
    name = options.study or settings.arch
    location = storage.location_of(run_folder.RUNS, task.name, name, options.storage)
    if options.worker is not None:
        from training.tuning import worker

        worker.work(task, location, settings, options.trials, options.worker)
        return
    from training.tuning import supervisor

    folder = storage.folder_of(run_folder.RUNS, task.name, name)
    folder.mkdir(parents=True, exist_ok=True)
    declared = {key: settings.to_json()[key] for key in ("model", "arch", "epochs", "seed")}
    about = {**declared, "search": search.to_json()}
    study = storage.create(
        location, search.mode, about, task.default_hyperparameters(settings.arch)
    )
    command = [sys.executable, "-m", "training", "tune", task.name, "--trials", str(options.trials)]
    for option in ("study", "storage", "arch", "epochs", "seed", "data"):
        value = getattr(options, option, None)
        command += [] if value is None else [f"--{option}", str(value)]
    try:
        supervisor.supervise(
            study,
            search,
            folder,
            options.trials,
            [[*command, "--worker", str(number)] for number in range(options.jobs)],
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("Interrupted. The same command goes on.") from None
    where = f" --storage {location.shown}" if options.storage else ""
    say(f"to train with it: python -m training train {task.name} --from-study {name}{where}")


def _count(given: str) -> int:
    if not given.isdecimal() or int(given) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, not {given!r}")
    return int(given)
