"""Tuning: one process' share of the trials of a study."""

import os
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from sqlalchemy.exc import SQLAlchemyError

from training.console.progress import say
from training.data.load import load_data
from training.errors import DivergedError, TrainingError
from training.fitting import training_loop
from training.fitting.config import Settings, with_chosen
from training.fitting.training_loop import Patience, Recorder
from training.tasks.search_space import Choice, Range, Search
from training.tasks.task_interface import Task
from training.tuning import storage
from training.tuning.database_restarts import patiently, was_cut_off
from training.tuning.storage import StudyLocation

# Trials that are finished before one is pruned, and the share of its epochs that each has.
_UNPRUNED_TRIALS = 5
_UNPRUNED_SHARE = 0.25
# How Optuna begins to say that a trial cannot be ended, since somebody has.
_FINISHED = "Cannot tell a "
# Seconds between two looks at whether others have finished the last trials.
_LOOK_S = 1.0


def work(
    task: Task[Any], location: StudyLocation, settings: Settings, wanted: int, worker: int
) -> None:
    """Try until the study has ``wanted`` finished trials, by whichever processes.

    Two processes that see one trial missing may both begin it: then there is one more. One that
    finds the last trials running elsewhere waits for them, and takes over those that fail.

    Args:
        settings: of each trial, where the search does not decide.
        worker: the number of this process, from 0; each draws other trials.

    Raises:
        TrainingError: the data is not there, or not what the study was begun with.
        KeyboardInterrupt: also when the process that started this one is gone.
    """
    search = task.architectures[settings.arch].search
    assert search is not None
    warm_up = round(settings.epochs * _UNPRUNED_SHARE)
    study = storage.load_study(location, pruner=MedianPruner(_UNPRUNED_TRIALS, warm_up))
    before = len(study.get_trials(deepcopy=False))
    study.sampler = TPESampler(seed=_seed(settings.seed, worker, before))
    data = load_data(task, settings.data, settings.max_bad_rows).data
    _check_data(study, task.summary(data)["fingerprint"])
    parent_watch = _ParentWatch()

    def objective(trial: optuna.Trial) -> float:
        trial.set_user_attr(storage.BEGUN, True)
        return _try(task, data, search, settings, trial, parent_watch)

    while True:
        now = storage.tally(study)
        if now.finished >= wanted:
            return
        if now.finished + now.running >= wanted:
            parent_watch.check()
            time.sleep(_LOOK_S)
            continue
        try:
            study.optimize(objective, n_trials=1)
        except (UpdateFinishedTrialError, ValueError) as error:
            # This machine slept, say, and another process gave the trial up: there are others.
            if isinstance(error, ValueError) and not str(error).startswith(_FINISHED):
                raise
            say("another process gave up a trial; continuing")
        except (SQLAlchemyError, StorageInternalError) as error:
            if not was_cut_off(error):
                raise
            say("the database was restarted; continuing with another trial")


def _try(
    task: Task[Any],
    data: Any,
    search: Search,
    settings: Settings,
    trial: optuna.Trial,
    parent_watch: "_ParentWatch",
) -> float:
    """Train once, and return the figure of the epoch that a training would keep."""
    chosen = {name: _suggest(trial, name, space) for name, space in search.space.items()}
    architecture = task.architectures[settings.arch]
    own = with_chosen(settings, {**chosen, **search.cheaper})
    say(f"trial {trial.number}: " + ", ".join(f"{name} {value}" for name, value in chosen.items()))
    keras.utils.clear_session()
    training_loop.set_seed(own.seed)
    plan = task.plan(data, own)
    recorder = Recorder(plan, [])
    callbacks = [recorder, _Reporter(trial, search.metric), parent_watch]
    if architecture.patience is not None:
        callbacks.append(Patience(recorder, architecture.patience))
    try:
        training_loop.learn(plan, own, callbacks)
        epoch = training_loop.best_epoch(plan, recorder.history)
        training_loop.check_figures(recorder.history, epoch)
    except DivergedError as error:
        raise optuna.TrialPruned(str(error)) from error
    return recorder.history[epoch - 1][search.metric]


def _suggest(trial: optuna.Trial, name: str, space: Range | Choice) -> Any:
    if isinstance(space, Choice):
        return trial.suggest_categorical(name, space.options)
    if isinstance(space.low, int) and isinstance(space.high, int):
        return trial.suggest_int(name, space.low, space.high, log=space.log)
    return trial.suggest_float(name, space.low, space.high, log=space.log)


def _seed(seed: int, worker: int, before: int) -> int:
    """Return a seed of the sampler's own: a process that goes on must not draw the same again."""
    return int(np.random.SeedSequence((seed, worker, before)).generate_state(1)[0])


def _check_data(study: optuna.Study, fingerprint: str) -> None:
    known = study.user_attrs.get(_FINGERPRINT)
    if known is None:
        study.set_user_attr(_FINGERPRINT, fingerprint)
    elif known != fingerprint:
        raise TrainingError(
            f"The study {study.study_name} was begun with other data (fingerprint {known[:12]}, "
            f"here {fingerprint[:12]}): give another --study."
        )


_FINGERPRINT = "data_fingerprint"


class _Reporter(keras.callbacks.Callback):
    """Reports each epoch's figure to the study, and prunes a trial that is hopeless."""

    def __init__(self, trial: optuna.Trial, metric: str) -> None:
        super().__init__()
        self._trial = trial
        self._metric = metric

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        assert logs is not None
        figure = float(logs[self._metric])

        def tell() -> bool:
            self._trial.report(figure, epoch + 1)
            return self._trial.should_prune()

        if patiently(tell):
            raise optuna.TrialPruned


class _ParentWatch(keras.callbacks.Callback):
    """Ends a process whose parent is gone, because nothing else would."""

    def __init__(self) -> None:
        super().__init__()
        self._parent = os.getppid()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.check()

    def check(self) -> None:
        if os.getppid() != self._parent:
            raise KeyboardInterrupt
