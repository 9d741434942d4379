"""``train``: train a model and publish its next version."""

from pathlib import Path
from typing import Any

import click

from service.repository.rollout_policy import RolloutRules
from training import tasks
from training.console.progress import say
from training.errors import UsageError
from training.fitting import config as configuration
from training.fitting import run_folder
from understudy import options
from understudy.help import TRAINING, Command, Option
from understudy.options import explicit_settings, model, training_settings
from understudy.parameter_types import PathName

# What a resumed run may change: none of it changes what is learned.
_FREE_ON_RESUME = {"data", "out", "no-publish", "precision", "sensitive"}
_OTHER_STARTS, _RESULT = "Continue from earlier work", "The result"


@click.command(
    cls=Command,
    panel=TRAINING,
    short_help="train a model and publish its next version",
    examples={
        "train mpg": "train, measure, compare with the live version, publish",
        "train clothing --data pictures/": "learn your own classes",
        "train mpg --resume runs/mpg/20260102T030405Z": "continue an interrupted training",
    },
)
@model()
@training_settings
@click.option("--no-publish", is_flag=True, cls=Option, help="stop after the export", panel=_RESULT)
@click.option(
    "--force", is_flag=True, cls=Option, help="publish even if a gate refuses it", panel=_RESULT
)
@options.rollout(_RESULT)
@click.option(
    "--resume",
    cls=Option,
    type=PathName(),
    metavar="RUN",
    help="continue the training in this run folder",
    panel=_OTHER_STARTS,
)
@click.option(
    "--from-study",
    cls=Option,
    metavar="STUDY",
    help="best settings of a tuning: name or folder",
    panel=_OTHER_STARTS,
)
@click.option(
    "--storage",
    cls=Option,
    metavar="URL",
    help="database of --from-study",
    panel=_OTHER_STARTS,
)
def command(
    model: str,
    force: bool,
    rollout: bool,
    rollout_rules: RolloutRules | None,
    resume: Path | None,
    config: Path | None,
    from_study: str | None,
    storage: str | None,
    **settings: Any,
) -> None:
    """Train a model, measure it on the full test set, and publish it as the next version.

    The gates compare it with the version that serves; a worse one is not published.
    """
    given, trial = explicit_settings(settings), options.rollout_rules(rollout, rollout_rules)
    toml = {} if config is None or resume is not None else configuration.read_toml(config)
    if rollout and {**toml, **given}.get("no-publish"):
        where = "--no-publish" if given.get("no-publish") else f"no-publish in {config}"
        raise UsageError(f"--rollout and {where} exclude each other.")
    if storage is not None and from_study is None:
        raise UsageError("--storage says where the study of --from-study is: it needs that option.")
    if resume is None:
        run = _new_run(model, toml, from_study, storage, given)
    elif config is not None or from_study or given.keys() - _FREE_ON_RESUME:
        raise UsageError(
            "--resume takes what decides the training from the run: "
            "only --data, --out, --precision, --sensitive, --no-publish, --force, --rollout and "
            "--rollout-rules go with it."
        )
    else:
        run = _resumed_run(model, resume, given)
    from training.workflows import train as workflow
    from training.workflows.resume_command import resume_command

    try:
        workflow.train(run, force=force, rollout=trial)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Interrupted. To continue: {resume_command(run, rollout=trial)}"
        ) from None


def _new_run(
    model: str,
    toml: dict[str, Any],
    from_study: str | None,
    database: str | None,
    given: dict[str, Any],
) -> run_folder.Run:
    task = tasks.get(model)
    if from_study is None:
        settings = configuration.resolve(task.name, task.architectures, toml, given)
    else:
        from training.tuning import storage

        location = storage.find_study_record(run_folder.RUNS, task.name, from_study, database)
        settings = storage.winner(location).settle(task, toml, given)
        say(f"settings of {settings.from_study}")
    return run_folder.create_run_folder(run_folder.RUNS, settings)


def _resumed_run(model: str, folder: Path, given: dict[str, Any]) -> run_folder.Run:
    task = tasks.get(model)
    run = run_folder.open_run(folder)
    if run.settings.model != task.name:
        raise UsageError(f"{folder} is a run of {run.settings.model}, not of {task.name}.")
    return run.taken_up(given)
