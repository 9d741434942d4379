import os
import subprocess
import sys
from pathlib import Path

import pytest

from service import run_folder

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_a_folder_is_made_once_and_removed(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    run_folder.prepare(environ)
    folder = Path(environ[FOLDER])
    (folder / "counter_1.db").write_bytes(b"")
    # A reload of the configuration prepares again; what was counted must survive.
    run_folder.prepare(environ)
    assert Path(environ[FOLDER]) == folder
    assert list(folder.iterdir())
    run_folder.remove(environ)
    assert list(tmp_path.iterdir()) == []


def test_a_chosen_folder_is_emptied_of_old_counts_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "chosen"
    folder.mkdir()
    (folder / "counter_1.db").write_bytes(b"")
    (folder / "notes.txt").write_text("mine")
    environ = {FOLDER: str(folder)}
    run_folder.prepare(environ)
    run_folder.remove(environ)
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]


def test_folders_of_the_dead_are_swept_and_of_the_living_spared(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    (tmp_path / f"understudy-{dead.pid}-x").mkdir()
    living = tmp_path / f"understudy-{os.getppid()}-x"
    living.mkdir()
    environ: dict[str, str] = {}
    run_folder.prepare(environ)
    assert set(tmp_path.iterdir()) == {living, Path(environ[FOLDER]).parent}
