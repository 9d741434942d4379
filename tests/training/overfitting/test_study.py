"""A study: what it leaves behind, and that it goes on where it was."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.training.tiny import Tiny, X, Y
from training.errors import BusyError, TrainingError, UsageError
from training.fitting import config, training_loop
from training.fitting.process_lock import exclusive_lock
from training.fitting.run_folder import create_run_folder
from training.overfitting import study
from understudy import cli


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "load_data", lambda *_: SimpleNamespace(data=None))


def test_a_study_draws_and_judges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = Tiny()
    folder = study.create_study_folder(tmp_path, task, {})
    assert folder.parent == tmp_path / "tiny"
    study.run_study(task, folder)
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    outcome = json.loads((folder / "study.json").read_text())
    assert [item["name"] for item in outcome["variants"]] == list(task.study.variants)
    small, large, early = outcome["variants"]
    assert small["parameters"] == 4 + 1 + 1 + 1
    assert large["parameters"] == 32 + 8 + 8 + 1
    assert large["epochs"] == 3 >= early["epochs"]
    for item in outcome["variants"]:
        assert item["verdict"] in ("fits", "overfits", "underfits")
        assert item["best"]["held_out"] > 0
    text = (folder / "study.md").read_text()
    assert "| large: 8 units | 49 | " in text
    assert outcome["rule"] in text
    lines = capsys.readouterr().out.splitlines()
    (row,) = (line for line in lines if line.split()[:2] == ["large", "49"])
    assert len(row) <= 80
    assert not list(folder.rglob("*.h5"))


def test_two_do_not_work_on_one_study(tmp_path: Path) -> None:
    task = Tiny()
    folder = study.create_study_folder(tmp_path, task, {"epochs": 1})
    with (
        exclusive_lock(folder / ".lock", "A study"),
        pytest.raises(BusyError, match=r"The study in \S+ is under way: process "),
    ):
        study.run_study(task, folder)
    study.run_study(task, folder)


def test_the_training_curve_is_that_of_the_network_as_it_would_serve(tmp_path: Path) -> None:
    task = Tiny()
    folder = study.create_study_folder(tmp_path, task, {"epochs": 1})
    study.run_study(task, folder)
    (row,) = study.Run(folder / "small", task.planned[0]).history()
    assert row.keys() >= {"mae", "train_mae", "val_mae"}
    assert row["train_mae"] != row["mae"]


def test_the_training_curve_is_the_mean_over_all_rows_that_are_asked() -> None:
    task = Tiny()
    settings = config.resolve(task.name, task.architectures, {}, {})
    plan = task.plan(None, settings)
    watcher = study._OnItsOwnData(plan, settings, "mae")
    logged: dict[str, float] = {}
    watcher.set_model(plan.model)
    plan.model.fit(X[:32], Y[:32], epochs=1, verbose=0)
    watcher.on_epoch_end(0, logged)
    asked = np.linspace(0, 31, 16).round().astype(int)
    assert settings.batch_size < len(asked)
    answers = plan.model.predict_on_batch(X[asked])
    assert logged["train_mae"] == pytest.approx(np.abs(answers - Y[asked]).mean(), rel=1e-5)


def test_what_is_finished_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Tiny()
    folder = study.create_study_folder(tmp_path, task, {"epochs": 2})
    fit = training_loop.fit

    def interrupted(*arguments: Any) -> None:
        if len(task.planned) == 2:
            raise KeyboardInterrupt
        fit(*arguments)

    monkeypatch.setattr(training_loop, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study.run_study(task, folder)
    monkeypatch.setattr(training_loop, "fit", fit)
    study.run_study(task, folder)
    units = [settings.hyperparameters["units"] for settings in task.planned]
    assert units == [1, 8, 8, 8]
    assert {settings.epochs for settings in task.planned} == {2}
    study.run_study(task, folder)
    assert len(task.planned) == 4


def test_a_study_stops_early_by_its_curve(tmp_path: Path) -> None:
    """Also where the task's own training keeps its last epoch."""
    task = Tiny()
    folder = study.create_study_folder(tmp_path, task, {"epochs": 30})
    study.run_study(task, folder)
    early = json.loads((folder / "study.json").read_text())["variants"][2]
    assert early["epochs"] == early["best_epoch"] + 1 < 30


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"is not a study: it has no config\.json\."),
        ("{", r"config\.json: config\.json is not JSON"),
        ('{"model": "mpg"}', r"config\.json: settings: 'arch' is missing\."),
    ],
)
def test_a_folder_that_is_no_study(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(UsageError, match=message):
        study.run_study(Tiny(), tmp_path)


def test_the_run_of_a_training_is_no_study_and_stays_as_it_is(tmp_path: Path) -> None:
    settings = config.resolve("tiny", Tiny().architectures, {}, {})
    run = create_run_folder(tmp_path, settings)
    before = sorted(run.folder.rglob("*"))
    with pytest.raises(UsageError, match=r"is not a study, but the run of a training\.$"):
        study.run_study(Tiny(), run.folder)
    assert sorted(run.folder.rglob("*")) == before


def test_a_study_goes_on_with_no_other_data(tmp_path: Path) -> None:
    task = Tiny()
    folder = study.create_study_folder(tmp_path, task, {})
    (folder / "data.json").write_text('{"fingerprint": "1234567890abcdef01"}')
    with pytest.raises(TrainingError, match="was begun with other data: its fingerprint was 1234"):
        study.run_study(task, folder)


def test_a_task_without_a_study(tmp_path: Path) -> None:
    task = Tiny()
    task.study = None
    with pytest.raises(UsageError, match="tiny declares no study"):
        study.create_study_folder(tmp_path, task, {})


def test_resume_goes_with_no_other_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["study", "mpg", "--resume", "x", "--epochs", "3"]) == 2
    assert capsys.readouterr().err == (
        "--resume takes all settings from the study: no option goes with it.\n"
    )
