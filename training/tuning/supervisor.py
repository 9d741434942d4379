"""Supervises a tuning: lets its workers work, shows progress, prints a summary."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import optuna
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from service.repository.json_files import write_object
from training.console.progress import say
from training.errors import TrainingError
from training.tasks.search_space import Search
from training.tuning import storage, trial_plots
from training.tuning.database_restarts import patiently

# Seconds between two looks at the study.
_LOOK_S = 0.5


class Workers(Protocol):
    """What works on a study, wherever it does."""

    def are_at_work(self) -> bool:
        """Whether any of it has something left to do."""

    def why(self) -> str:
        """Return why it ended before the study was done, in a sentence."""


def supervise(
    study: optuna.Study,
    search: Search,
    folder: Path,
    wanted: int,
    workers: AbstractContextManager[Workers],
) -> None:
    """Let workers work on the study until it has ``wanted`` finished trials.

    The pictures and outcome.json go into ``folder``.

    Args:
        workers: begin when it is entered, and are ended when it is left.

    Raises:
        TrainingError: all ended before; the message says why one did.
        KeyboardInterrupt: after they were ended.
    """
    watch = _Watch(study, search, wanted)
    try:
        with workers as started:
            while started.are_at_work():
                patiently(watch.poll)
                time.sleep(_LOOK_S)
        patiently(watch.poll)
    finally:
        watch.close()
    if storage.tally(study).finished < wanted:
        raise TrainingError(started.why())
    _conclude(study, search, folder)


class _Watch:
    """Prints each trial that ends; on a terminal, the running ones on a line that changes."""

    def __init__(self, study: optuna.Study, search: Search, wanted: int) -> None:
        self._study = study
        self._search = search
        self._wanted = wanted
        self._reported = {
            trial.number for trial in study.get_trials(deepcopy=False) if _ended(trial)
        }
        console = Console()
        self._status = console.status("starting") if console.is_terminal else None
        if self._status is not None:
            self._status.start()

    def poll(self) -> None:
        found = self._study.get_trials(deepcopy=False)
        for trial in found:
            if _ended(trial) and trial.number not in self._reported:
                self._reported.add(trial.number)
                say(f"{self._line(trial)}  {self._so_far(found)}")
        if self._status is not None:
            running = [_running_line(trial) for trial in found if _runs(trial)]
            self._status.update("  ".join([*running, self._so_far(found)]))

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()

    def _line(self, trial: FrozenTrial) -> str:
        chosen = ", ".join(f"{name} {_short(value)}" for name, value in trial.params.items())
        match trial.state:
            case TrialState.COMPLETE:
                how = f"{self._search.metric} {trial.value:.4f}"
            case TrialState.PRUNED:
                how = f"pruned after epoch {trial.last_step or 0}"
            case _:
                how = "failed"
        return f"trial {trial.number}  {how}  {chosen}"

    def _so_far(self, found: Sequence[FrozenTrial]) -> str:
        done = f"{sum(storage.is_finished(trial) for trial in found)}/{self._wanted}"
        best = storage.best(self._study)
        return done if best is None else f"best {best.value:.4f} (trial {best.number})  {done}"


def _ended(trial: FrozenTrial) -> bool:
    return trial.state.is_finished()


def _runs(trial: FrozenTrial) -> bool:
    # One that waits for its turn has not ended either.
    return trial.state == TrialState.RUNNING


def _running_line(trial: FrozenTrial) -> str:
    epoch = trial.last_step
    return f"trial {trial.number}" + ("" if epoch is None else f" epoch {epoch}")


def _conclude(study: optuna.Study, search: Search, folder: Path) -> None:
    found = study.get_trials(deepcopy=False)
    best = storage.best(study)
    if best is None:
        raise TrainingError("No trial finished: the search space holds only bad settings.")
    importance = _importance(study)
    outcome = {
        "study": study.study_name,
        "metric": search.metric,
        "mode": search.mode,
        "trials": {state.name.lower(): 0 for state in TrialState}
        | dict(Counter(trial.state.name.lower() for trial in found)),
        "best": {"trial": best.number, "value": best.value, "chosen": best.params},
        "importance": importance,
    }
    write_object(folder / "outcome.json", outcome)
    ended = [trial for trial in found if trial.state == TrialState.COMPLETE]
    trial_plots.plot_history(
        folder / "history.png",
        search.metric,
        search.mode,
        [(trial.number, float(trial.value or 0.0)) for trial in ended],
        [trial.number for trial in found if trial.state == TrialState.PRUNED],
    )
    pictures = ["history.png"]
    # From too few trials it is not known.
    (folder / "importance.png").unlink(missing_ok=True)
    if importance:
        trial_plots.plot_importance(folder / "importance.png", search.metric, importance)
        pictures.append("importance.png")
    say(f"best: trial {best.number}, {search.metric} {best.value:.4f}")
    for name, value in best.params.items():
        share = f"  (importance {importance[name]:.0%})" if name in importance else ""
        say(f"  {name} {_short(value)}{share}")
    say(f"pictures and figures: {folder}/{', '.join(pictures)}, outcome.json")


def _importance(study: optuna.Study) -> dict[str, float]:
    """Return each setting's share in how much the figures differ (fANOVA, Hutter et al. 2014).

    Empty where the trials are too few, or their values all equal.
    """
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(ended) < _ENOUGH or len({trial.value for trial in ended}) == 1:
        return {}
    evaluator = FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


# Trials from which an importance is more than chance.
_ENOUGH = 8


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
