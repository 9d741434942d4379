"""A study of over- and underfitting: networks from small to large, and the large one held back.

``runs/<model>/study-<time>/`` holds

config.json      the settings that all of them share; what ``--resume`` reads
data.json        the fingerprint of the data
<variant>/       history.csv, and checkpoints while it trains; done.json once it is finished
curves.png       the learning curves
study.md         the table, for people; study.json the same for programs
"""

import dataclasses
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from service.repository.errors import RepositoryError
from service.repository.json_files import read_object, write_object
from training.console.progress import progress_beside, say
from training.console.terminal_table import print_table
from training.data.load import load_data
from training.errors import UsageError
from training.fitting import training_loop
from training.fitting.config import Settings, architecture_of, resolve, settings_from_json
from training.fitting.process_lock import exclusive_lock
from training.fitting.run_folder import CHECKPOINTS, Run, keep_to_data, new_folder
from training.fitting.training_plan import TrainingPlan
from training.overfitting import curve_plots, diagnosis
from training.overfitting.diagnosis import Curves
from training.reporting.markdown_tables import table
from training.tasks.study_variants import Study, Variant
from training.tasks.task_interface import Task

_CONFIG = "config.json"
_DONE = "done.json"
_LOCK = ".lock"


def create_study_folder(root: Path, task: Task[Any], given: Mapping[str, Any]) -> Path:
    """Make the folder of a new study below ``root``.

    Args:
        given: what the command line says otherwise than the task's study, by options' names.

    Raises:
        UsageError: the task has no study.
    """
    study = _declared(task)
    declared = {
        "arch": study.arch,
        "epochs": study.epochs,
        "batch-size": study.batch_size,
        "learning-rate": study.learning_rate,
        "no-publish": True,
    }
    folder = new_folder(root / task.name, "study-")
    write_object(
        folder / _CONFIG, resolve(task.name, task.architectures, declared, given).to_json()
    )
    return folder


def run_study(task: Task[Any], folder: Path, *, as_json: bool = False) -> None:
    """Train the variants that are not finished, plot and diagnose all; print the table.

    With ``as_json`` standard output is what study.json holds; progress goes to standard error.

    Raises:
        UsageError: there is no study of this task in ``folder``.
        BusyError: another process works on it.
        TrainingError: the data is not there, or a loss is not a number any more.
    """
    with progress_beside(as_json):
        study, settings = _declared(task), _settings(folder)
        if settings.model != task.name:
            raise UsageError(f"{folder} is a study of {settings.model}, not of {task.name}.")
        with exclusive_lock(folder / _LOCK, f"The study in {folder}"):
            outcome = _outcome(task, study, folder, settings)
    if as_json:
        say(json.dumps(outcome, indent=2))
    else:
        _show(outcome["variants"])
        say(f"curves and table: {folder}/curves.png, study.md, study.json")


def _outcome(task: Task[Any], study: Study, folder: Path, settings: Settings) -> dict[str, Any]:
    say(f"study folder {folder}")
    data = None
    for name, variant in study.variants.items():
        place = folder / _slug(name)
        if (place / _DONE).exists():
            say(f"{name}: finished before")
            continue
        if data is None:
            data = load_data(task, settings.data, settings.max_bad_rows).data
            keep_to_data(folder, task.summary(data)["fingerprint"], begun=True)
        own = dataclasses.replace(settings, hyperparameters=dict(variant.hyperparameters))
        _train(task, data, study, name, variant, Run(place, own))
    return _conclude(task, study, folder, settings)


def _declared(task: Task[Any]) -> Study:
    if task.study is None:
        raise UsageError(f"{task.name} declares no study of over- and underfitting.")
    return task.study


def _settings(folder: Path) -> Settings:
    if not (folder / _CONFIG).is_file():
        raise UsageError(f"{folder} is not a study: it has no {_CONFIG}.")
    if (folder / CHECKPOINTS).is_dir():
        raise UsageError(f"{folder} is not a study, but the run of a training.")
    try:
        return settings_from_json(read_object(folder / _CONFIG))
    except (RepositoryError, UsageError) as error:
        raise UsageError(f"{folder / _CONFIG}: {error}") from error


def _train(task: Task[Any], data: Any, study: Study, name: str, variant: Variant, run: Run) -> None:
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    training_loop.set_seed(run.settings.seed)
    architecture_of(task.name, task.architectures, run.settings.arch)
    plan = task.plan(data, run.settings)
    # Whatever the task keeps when it trains to serve: here early stopping follows the curve.
    plan = dataclasses.replace(plan, monitor=f"val_{study.curve}", mode="min")
    parameters = plan.model.count_params()
    say(f"{name}: {variant.description}; {parameters:,} parameters")
    architecture = dataclasses.replace(task.architectures[study.arch], patience=variant.patience)
    training_loop.fit(plan, architecture, run, [_OnItsOwnData(plan, run.settings, study.curve)])
    history = run.history()
    for epoch in range(1, len(history) + 1):  # the curves show all of them
        training_loop.check_figures(history, epoch)
    write_object(run.folder / _DONE, {"parameters": parameters})
    shutil.rmtree(run.checkpoints)


class _OnItsOwnData(keras.callbacks.Callback):
    """Logs, as ``train_<metric>``, how the network answers some of what it learned from.

    Keras' own training metric is a mean over an epoch in which the network changed, with units left
    out: beside the held-out metric it looks worse than it is.
    """

    def __init__(self, plan: TrainingPlan, settings: Settings, metric: str) -> None:
        super().__init__()
        self._metric = metric
        rows = plan.training
        chosen = np.linspace(0, len(rows) - 1, min(len(rows), len(plan.validation)))
        # With a seed, so that a batch is made as in training: mpg's decides who learns from what.
        self._batches = training_loop.Batches(
            plan.batch, rows[chosen.round().astype(int)], settings.batch_size, settings.seed
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        # Keras' evaluate would build its input pipeline anew in each epoch, which takes longer,
        # and its test_on_batch would forget all batches but the last.
        self.model.make_test_function()
        self.model.reset_metrics()
        figures: Mapping[str, Any] = {}
        for number in range(len(self._batches)):
            figures = self.model.test_function(iter([self._batches[number]]))
        logs[f"train_{self._metric}"] = float(figures[self._metric])


def _conclude(task: Task[Any], study: Study, folder: Path, settings: Settings) -> dict[str, Any]:
    """Plot and diagnose the networks, and write the study's files; return what study.json holds."""
    curves = [
        _curves(Run(folder / _slug(name), settings), name, variant, study.curve)
        for name, variant in study.variants.items()
    ]
    figures = diagnosis.diagnosis_to_json(curves)
    title = f"{task.title}: over- and underfitting"
    curve_plots.plot_network_curves(folder / "curves.png", title, study.curve, curves)
    outcome = {
        "model": task.name,
        "curve": study.curve,
        "rule": diagnosis.RULE,
        "settings": settings.to_json(),
        "variants": figures,
    }
    write_object(folder / "study.json", outcome)
    text = (
        f"# {title}\n\n![Learning curves](curves.png)\n\nErrors are `{study.curve}`, the lower "
        f"the better; a gap is the share of the error on held-out data that is missing on the "
        f"network's own data. {settings.epochs} epochs at most, batches of "
        f"{settings.batch_size}, learning rate {settings.learning_rate:g}, seed "
        f"{settings.seed}.\n\n{table(_HEADER, _table(figures))}\n\n{diagnosis.RULE}\n"
    )
    (folder / "study.md").write_text(text, encoding="utf-8")
    return outcome


_HEADER = (
    *("network", "parameters", "best epoch", "train", "held out", "gap"),
    *("last epoch", "train", "held out", "gap", "verdict", "why"),
)


def _show(figures: list[dict[str, Any]]) -> None:
    """Print the networks at their best epochs, and below the table the reason of each diagnosis."""
    header = ("network", "parameters", "best epoch", "train", "held out", "gap", "verdict")
    rows = [
        [item["name"], *row[1:6], row[-2]]
        for item, row in zip(figures, _table(figures), strict=True)
    ]
    print_table(header, rows)
    for item in figures:
        say(f"{item['name']} {item['verdict']}: {item['why']}")


def _table(figures: list[dict[str, Any]]) -> list[list[str]]:
    rows = []
    for item in figures:
        row = [f"{item['name']}: {item['description']}", f"{item['parameters']:,}"]
        for when, epoch in (("best", item["best_epoch"]), ("last", item["epochs"])):
            at: Mapping[str, float] = item[when]
            row += [str(epoch), f"{at['train']:.3f}", f"{at['held_out']:.3f}", f"{at['gap']:.0%}"]
        rows.append([*row, item["verdict"], item["why"]])
    return rows


def _curves(run: Run, name: str, variant: Variant, metric: str) -> Curves:
    history = run.history()
    return Curves(
        name=name,
        description=variant.description,
        parameters=read_object(run.folder / _DONE)["parameters"],
        train=[row[f"train_{metric}"] for row in history],
        held_out=[row[f"val_{metric}"] for row in history],
    )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())
