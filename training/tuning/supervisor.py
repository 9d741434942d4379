"""Supervises a tuning: starts its processes, shows progress, ends them, prints a summary."""

import contextlib
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import optuna
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from service.repository.json_files import write_object
from training.console.progress import say
from training.errors import TrainingError
from training.tasks.search_space import Search
from training.tuning import storage, trial_plots

# Seconds between two looks at the study, and for which a process may end by itself.
_LOOK_S = 0.5
_END_S = 30.0


def supervise(
    study: optuna.Study, search: Search, folder: Path, wanted: int, commands: Sequence[list[str]]
) -> None:
    """Run ``commands``, which work on the study, until it has ``wanted`` finished trials.

    What they print goes into ``folder``, one file a process; so do, at the end, the pictures
    and outcome.json.

    Raises:
        TrainingError: all processes ended before; the message has the last line of one.
        KeyboardInterrupt: after the processes were ended.
    """
    logs = [folder / f"worker-{number}.log" for number in range(len(commands))]
    watch = _Watch(study, search, wanted)
    try:
        with _running(commands, logs) as workers:
            while any(worker.poll() is None for worker in workers):
                watch.poll()
                time.sleep(_LOOK_S)
        watch.poll()
    finally:
        watch.close()
    if storage.tally(study).finished < wanted:
        raise TrainingError(_why(workers, logs))
    _conclude(study, search, folder)


class _Watch:
    """Prints each trial that ends; on a terminal, the running ones on a line that changes."""

    def __init__(self, study: optuna.Study, search: Search, wanted: int) -> None:
        self._study = study
        self._search = search
        self._wanted = wanted
        self._told = {trial.number for trial in study.get_trials(deepcopy=False) if _ended(trial)}
        console = Console()
        self._status = console.status("starting") if console.is_terminal else None
        if self._status is not None:
            self._status.start()

    def poll(self) -> None:
        found = self._study.get_trials(deepcopy=False)
        for trial in found:
            if _ended(trial) and trial.number not in self._told:
                self._told.add(trial.number)
                say(f"{self._line(trial)}  {self._so_far(found)}")
        if self._status is not None:
            running = [_running_line(trial) for trial in found if not _ended(trial)]
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


def _running_line(trial: FrozenTrial) -> str:
    epoch = trial.last_step
    return f"trial {trial.number}" + ("" if epoch is None else f" epoch {epoch}")


@contextlib.contextmanager
def _running(
    commands: Sequence[list[str]], logs: Sequence[Path]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for command, log in zip(commands, logs, strict=True):
            with log.open("ab") as file:
                # A session of its own: Ctrl-C reaches this process alone, which passes it on.
                workers.append(
                    subprocess.Popen(
                        command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
                    )
                )
        yield workers
    finally:
        _end(workers)


def _end(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask the processes to end between two batches; kill those that do not."""
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(signal.SIGINT)
    until = time.monotonic() + _END_S
    for worker in workers:
        try:
            worker.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _why(workers: Sequence[subprocess.Popen[bytes]], logs: Sequence[Path]) -> str:
    """Return how the first process failed."""
    for worker, log in zip(workers, logs, strict=True):
        if worker.returncode < 0:
            name = signal.Signals(-worker.returncode).name
            return (
                f"A process was ended by {name}. Run the same command to continue. Its log: {log}"
            )
        if worker.returncode > 0:
            lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
            return f"{lines[-2] if len(lines) > 1 else 'A process failed.'} Its log: {log}"
    return f"The processes ended early. Run the same command to continue. Logs: {logs[0].parent}"


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
