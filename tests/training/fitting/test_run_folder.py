"""The run folder."""

import dataclasses
import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from training import tasks
from training.errors import TrainingError, UsageError
from training.fitting import config, run_folder

SETTINGS = config.resolve("mpg", tasks.get("mpg").architectures, {}, {})


def test_two_runs_in_one_second_have_two_folders(tmp_path: Path) -> None:
    folders = {run_folder.create_run_folder(tmp_path, SETTINGS).folder for _ in range(3)}
    assert len(folders) == 3
    assert all(folder.parent == tmp_path / "mpg" for folder in folders)


def test_runs_that_others_discard_at_the_same_time(tmp_path: Path) -> None:
    def begin_and_fail() -> None:
        run = run_folder.create_run_folder(tmp_path, SETTINGS)
        with run.discarded_on_failure():
            run.make_folder(tmp_path / "models")
            raise UsageError("The data is rejected.")

    with ThreadPoolExecutor(4) as pool:
        begun = [pool.submit(begin_and_fail) for _ in range(200)]
    assert {type(each.exception()) for each in begun} == {UsageError}
    assert list(tmp_path.glob("*/*")) == []


def test_a_run_whose_settings_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(run_folder, "write_object", full)
    with pytest.raises(OSError, match="No space left"):
        run_folder.create_run_folder(tmp_path / "runs", SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_opened_with_its_settings(tmp_path: Path) -> None:
    run = run_folder.create_run_folder(tmp_path, SETTINGS)
    assert run_folder.open_run(run.folder).settings == SETTINGS


def test_a_run_that_is_taken_up_may_go_elsewhere(tmp_path: Path) -> None:
    run = run_folder.create_run_folder(tmp_path, dataclasses.replace(SETTINGS, publish=False))
    taken_up = run.taken_up({"out": "models"})
    assert taken_up.settings == dataclasses.replace(SETTINGS, out=Path("models"))
    assert not run.taken_up({"no-publish": True}).settings.publish


def test_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = run_folder.create_run_folder(tmp_path, SETTINGS)
    assert run.history() == []
    rows = [{"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "loss": 1e-9}]
    run.write_history(rows)
    assert run.history() == rows


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "config.json").write_text("{}")
    with pytest.raises(UsageError, match=r"study is not a run: it has no folder checkpoints\."):
        run_folder.open_run(tmp_path / "study")
    with pytest.raises(UsageError, match=r"is not a run: it has no config\.json\."):
        run_folder.open_run(tmp_path)
    (tmp_path / "config.json").write_text('{"model": "mpg"}')
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(UsageError, match=r"config\.json: settings: 'arch' is missing\."):
        run_folder.open_run(tmp_path)


@pytest.mark.parametrize("text", ["epoch,loss\n1,\n", "epoch,loss\n1\n", "epoch,loss\nx,1\n"])
def test_a_damaged_history_is_said(tmp_path: Path, text: str) -> None:
    run = run_folder.create_run_folder(tmp_path, SETTINGS)
    (run.folder / "history.csv").write_text(text)
    with pytest.raises(TrainingError, match=r"history\.csv is damaged: "):
        run.history()


@pytest.mark.parametrize("text", ["{}", '{"fingerprint": 3}'])
def test_a_damaged_note_of_the_data_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.json").write_text(text)
    with pytest.raises(TrainingError, match=r"data\.json is damaged: it must name the fingerprint"):
        run_folder.keep_to_data(tmp_path, "abc", begun=True)
    (tmp_path / "data.json").write_text("[")
    with pytest.raises(TrainingError, match=f"^{tmp_path}/data.json is damaged: data.json is not"):
        run_folder.keep_to_data(tmp_path, "abc", begun=True)
