"""Trials, in one process and in several; what a killed one leaves; the command."""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from service.repository.model_card import read_card
from tests.forked import TRAINING, ForkedCommand
from tests.training.process import TrainingProcess
from tests.training.tiny import Tiny
from tests.training.tuning.forked_workers import started_by
from tests.waiting import eventually
from training import tasks
from training.data.dataset_location import Found
from training.errors import DivergedError, TrainingError
from training.fitting import config, training_loop
from training.tasks.task_interface import Task
from training.tuning import local_workers, storage
from training.tuning import worker as tuning_worker
from training.tuning.storage import StudyLocation
from understudy import cli

SETTINGS = config.resolve(Tiny.name, Tiny.architectures, {}, {})
SEARCH = Tiny.architectures["default"].search
assert SEARCH is not None
ABOUT: dict[str, Any] = {"model": "tiny", "arch": "default", "search": SEARCH.to_json()}
# What another process runs to take part in a study.
TAKE_PART = """
import sys
from types import SimpleNamespace
from tests.training.tiny import Tiny
from training.fitting import config
from training.tuning import worker as tuning_worker
from training.tuning.storage import StudyLocation
url, wanted, worker, epochs = sys.argv[1:]
tuning_worker.load_data = lambda *_: SimpleNamespace(data=None)
settings = config.resolve(Tiny.name, Tiny.architectures, {}, {"epochs": int(epochs)})
tuning_worker.work(Tiny(), StudyLocation(url, "tiny"), settings, int(wanted), int(worker))
"""


def forked(command: Sequence[str], log: Path) -> ForkedCommand:
    """Start a worker that has what it imports."""
    return ForkedCommand(
        TRAINING,
        command,
        cwd=Path.cwd(),
        env=os.environ,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning_worker, "load_data", lambda *_: SimpleNamespace(data=None))


@pytest.fixture
def location(tmp_path: Path) -> StudyLocation:
    location = StudyLocation(f"sqlite:///{tmp_path}/study.db", "tiny")
    storage.open_or_create_study(location, "min", ABOUT, {})
    return location


def take_part(location: StudyLocation, folder: Path, *arguments: int) -> TrainingProcess:
    folder.mkdir()
    command = ["-c", TAKE_PART, location.url, *map(str, arguments)]
    return TrainingProcess(*command, cwd=folder, logs=folder)


def test_the_first_trial_has_the_settings_that_are_there(tmp_path: Path) -> None:
    location = StudyLocation(f"sqlite:///{tmp_path}/first.db", "tiny")
    first = Tiny().default_hyperparameters("default")
    assert first == {"learning_rate": 0.05, "batch_size": 8, "units": 4}
    storage.open_or_create_study(location, "min", ABOUT, first)
    tuning_worker.work(Tiny(), location, SETTINGS, 2, 0)
    assert [trial.params == first for trial in storage.load_study(location).get_trials()] == [
        True,
        False,
    ]


def test_a_study_goes_on_and_never_draws_the_same_again(location: StudyLocation) -> None:
    task = Tiny()
    tuning_worker.work(task, location, SETTINGS, 2, 0)
    tuning_worker.work(task, location, SETTINGS, 4, 0)
    tuning_worker.work(task, location, SETTINGS, 4, 0)
    found = storage.load_study(location).get_trials()
    assert [trial.state for trial in found] == [TrialState.COMPLETE] * 4
    assert len({trial.params["learning_rate"] for trial in found}) == 4
    for trial, settings in zip(found, task.planned, strict=True):
        assert settings.learning_rate == trial.params["learning_rate"]
        assert settings.batch_size == trial.params["batch_size"]
        assert settings.hyperparameters == {"units": trial.params["units"]}
        assert list(trial.intermediate_values) == [1, 2, 3]
        assert trial.value == trial.intermediate_values[3]  # this task keeps its last epoch


def test_a_training_that_diverges_is_pruned(
    location: StudyLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: Any) -> None:
        raise DivergedError("The loss is nan.")

    monkeypatch.setattr(training_loop, "learn", diverge)
    tuning_worker.work(Tiny(), location, SETTINGS, 1, 0)
    assert storage.load_study(location).get_trials()[0].state == TrialState.PRUNED


def test_a_training_whose_figures_are_no_numbers_is_pruned(
    location: StudyLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learn(_plan: Any, _settings: Any, callbacks: Sequence[Any]) -> None:
        callbacks[0].history.append({"epoch": 1, SEARCH.metric: float("inf"), "seconds": 1.0})

    monkeypatch.setattr(training_loop, "learn", learn)
    monkeypatch.setattr(training_loop, "best_epoch", lambda *_: 1)
    tuning_worker.work(Tiny(), location, SETTINGS, 1, 0)
    assert storage.load_study(location).get_trials()[0].state == TrialState.PRUNED


def test_a_trial_that_is_worse_than_the_median_is_pruned(
    location: StudyLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each trial is worse than all before it, so those after the first few end early."""
    reported = tuning_worker._Reporter.on_epoch_end

    def worse(self: Any, epoch: int, logs: Any) -> None:
        reported(self, epoch, {SEARCH.metric: float(self._trial.number)})

    monkeypatch.setattr(tuning_worker._Reporter, "on_epoch_end", worse)
    tuning_worker.work(Tiny(), location, SETTINGS, 7, 0)
    states = [trial.state for trial in storage.load_study(location).get_trials()]
    assert states == [TrialState.COMPLETE] * 5 + [TrialState.PRUNED] * 2


def test_other_data_is_refused(location: StudyLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    tuning_worker.work(Tiny(), location, SETTINGS, 1, 0)
    monkeypatch.setattr(Tiny, "summary", lambda *_: {"fingerprint": "1" * 64})
    with pytest.raises(TrainingError, match="was begun with other data"):
        tuning_worker.work(Tiny(), location, SETTINGS, 2, 0)


def test_two_processes_share_one_study(location: StudyLocation, tmp_path: Path) -> None:
    workers = [take_part(location, tmp_path / f"{number}", 6, number, 3) for number in range(2)]
    assert [worker.wait(300) for worker in workers] == [0, 0]
    found = storage.load_study(location).get_trials()
    assert all(storage.is_finished(trial) for trial in found)
    assert len(found) in (6, 7)
    assert len({trial.params["learning_rate"] for trial in found}) == len(found)


def test_a_killed_trial_does_not_block_the_study(
    location: StudyLocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = take_part(location, tmp_path / "killed", 1, 0, 1_000_000)
    study = storage.load_study(location)
    eventually(lambda: any(trial.intermediate_values for trial in study.get_trials()), 300)
    worker.kill()
    worker.wait()
    assert [trial.state for trial in study.get_trials()] == [TrialState.RUNNING]
    monkeypatch.setattr(storage, "GRACE_S", 1)
    tuning_worker.work(Tiny(), location, SETTINGS, 1, 1)
    assert [t.state for t in study.get_trials()] == [TrialState.FAIL, TrialState.COMPLETE]
    assert study.trials[1].params == study.trials[0].params


def test_an_interrupted_first_trial_is_tried_again_by_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = StudyLocation(f"sqlite:///{tmp_path}/first.db", "tiny")
    first = Tiny().default_hyperparameters("default")

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tuning_worker.training_loop, "learn", interrupted)
        for _ in range(2):
            storage.open_or_create_study(location, "min", ABOUT, first)
            with pytest.raises(KeyboardInterrupt):
                tuning_worker.work(Tiny(), location, SETTINGS, 2, 0)
    study = storage.open_or_create_study(location, "min", ABOUT, first)
    # Somebody who looks meanwhile does not queue it once more.
    storage.open_or_create_study(location, "min", ABOUT, first)
    tuning_worker.work(Tiny(), location, SETTINGS, 2, 0)
    states = [(trial.state, trial.params == first) for trial in study.get_trials()]
    assert states == [
        (TrialState.FAIL, True),
        (TrialState.FAIL, True),
        (TrialState.COMPLETE, True),
        (TrialState.COMPLETE, False),
    ]


def test_settings_that_fail_again_and_again_are_given_up(location: StudyLocation) -> None:
    study = storage.open_or_create_study(location, "min", ABOUT, {})
    study.enqueue_trial({"units": 3})

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_int("units", 1, 4)
        raise MemoryError

    for _ in range(5):
        study.optimize(objective, n_trials=1, catch=MemoryError)
        storage.open_or_create_study(location, "min", ABOUT, {})
    assert [trial.state for trial in study.get_trials()] == [TrialState.FAIL] * 5


def test_tune_and_train_from_it(
    found_mpg: Found,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(*started_by(forked))
    monkeypatch.setattr(type(tasks.get("mpg")), "baselines", Task.baselines)  # takes its time
    tune = ["tune", "mpg", "--arch", "tutorial", "--epochs", "1", "--trials", "2"]
    assert cli.main([*tune, "--jobs", "2", "--study", "quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("trial ")
    assert "  best " in lines[0]
    assert lines[-1].endswith("understudy train mpg --from-study quick")
    folder = tmp_path / "runs" / "mpg" / "tune-quick"
    outcome = json.loads((folder / "outcome.json").read_text())
    assert outcome["trials"]["complete"] >= 2
    assert (folder / "history.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "importance.png").exists()  # two trials tell nothing of it
    assert cli.main([*tune, "--study", "quick", "--seed", "9"]) == 2
    assert "is about seed 1, not 9: give another --study." in capsys.readouterr().err

    assert cli.main(["train", "mpg", "--from-study", "quick", "--epochs", "1", "--no-publish"]) == 0
    (run,) = (path.parent for path in tmp_path.glob("runs/mpg/*/export"))
    card = read_card(run / "export")
    assert card is not None
    chosen = outcome["best"]["chosen"]
    assert card.training["learning_rate"] == chosen.pop("learning_rate")
    assert card.training["hyperparameters"] == chosen
    assert card.training["from_study"].startswith("tuning mpg-quick, trial ")


def test_ctrl_c_ends_all_processes(
    found_mpg: Found, repository_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(repository_root))  # for the worker that it starts
    command = ["-m", "training", "tune", "mpg", "--arch", "tutorial"]
    process = TrainingProcess(
        *command, "--trials", "1", "--epochs", "1000000", cwd=tmp_path, logs=tmp_path
    )
    location = storage.location_of(tmp_path / "runs", "mpg", "tutorial", None)
    eventually((tmp_path / "runs" / "mpg" / "tune-tutorial" / "worker-0.log").exists, 300)
    study = storage.load_study(location)
    eventually(lambda: any(trial.intermediate_values for trial in study.get_trials()), 300)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    assert (
        process.errors.read_text().splitlines()[-1]
        == "Interrupted. Run the same command to continue."
    )
    assert [trial.state for trial in study.get_trials()] == [TrialState.FAIL]


def test_processes_that_ignore_ctrl_c_end_by_themselves(
    repository_root: Path, tmp_path: Path
) -> None:
    """As those do that a script's shell starts in the background."""
    script = (
        "import signal, time; from understudy.signals import stops_as_by_ctrl_c\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "with stops_as_by_ctrl_c():\n"
        "    try:\n"
        "        print('at work', flush=True); time.sleep(600)\n"
        "    except KeyboardInterrupt:\n"
        "        print('ended by itself')\n"
    )
    log = tmp_path / "worker-0.log"
    command = ["env", f"PYTHONPATH={repository_root}", sys.executable, "-c", script]
    with local_workers.workers_here(tmp_path, [command]):
        eventually(lambda: log.exists() and "at work" in log.read_text(), 60)
    assert log.read_text().splitlines() == ["at work", "ended by itself"]


def test_there_are_no_more_processes_than_trials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    started: list[int] = []

    def start(_folder: Path, processes: Sequence[object]) -> None:
        started.append(len(processes))
        raise TrainingError("Enough is seen.")

    monkeypatch.setattr(local_workers, "workers_here", start)
    assert cli.main(["tune", "mpg", "--trials", "2", "--jobs", "1000"]) == 1
    assert cli.main(["tune", "mpg", "--trials", "9", "--jobs", "3"]) == 1
    assert started == [2, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trials", "0"], "--trials must be a whole number of at least 1, not '0'. See understudy tune --help."),
        (["--trials", "1", "--storage", "nowhere"], "--storage must be the URL of a database, such as postgresql+psycopg://user:password@host/database, not 'nowhere'."),
        (["--trials", "1", "--arch", "huge"], "mpg has no architecture 'huge'; it has default, tutorial."),
    ],
)  # fmt: skip
def test_wrong_usage(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["tune", "mpg", *arguments]) == 2
    assert capsys.readouterr().err == f"{message}\n"
