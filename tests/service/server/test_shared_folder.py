import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.server import shared_folder

METRICS = "PROMETHEUS_MULTIPROC_DIR"
WORKERS_FOLDER = "UNDERSTUDY_WORKERS_FOLDER"

# Another service: it prepares, says where, and lives until its input ends.
OTHER = """
import os, sys
from service.server import shared_folder
shared_folder.prepare_folders(os.environ)
print(os.environ["PROMETHEUS_MULTIPROC_DIR"], flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(shared_folder, "_made", {})


class Other:
    """A service in a process of its own."""

    def __init__(self, root: Path, **environ: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER],
            cwd=root,
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.folder = Path(self.process.stdout.readline().strip())

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_a_folder_is_made_once_and_removed(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    shared_folder.prepare_folders(environ)
    folder = Path(environ[METRICS])
    (folder / "counter_1.db").write_bytes(b"")
    # A reload of the configuration prepares again; what was counted must survive.
    shared_folder.prepare_folders(environ)
    assert Path(environ[METRICS]) == folder
    assert list(folder.iterdir())
    shared_folder.remove(environ)
    assert list(tmp_path.iterdir()) == []


def test_a_chosen_folder_is_kept_with_what_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "chosen"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    environ = {METRICS: str(folder)}
    shared_folder.prepare_folders(environ)
    assert Path(environ[METRICS]).parent == folder
    assert list(Path(environ[METRICS]).glob("*.db")) == []
    shared_folder.remove(environ)
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("chosen", [True, False])
def test_folders_of_the_dead_are_swept_and_of_the_living_spared(
    tmp_path: Path, repository_root: Path, chosen: bool
) -> None:
    """Whatever their process ids: those mean nothing in another container."""
    environ = {"TMPDIR": str(tmp_path)}
    if chosen:
        environ |= {METRICS: str(tmp_path), WORKERS_FOLDER: str(tmp_path / "workers")}
    living, dead = Other(repository_root, **environ), Other(repository_root, **environ)
    try:
        assert living.folder != dead.folder
        dead.kill()
        assert dead.folder.exists()
        # As seen from a container in which the living one has a number that nobody has.
        shown = living.folder if chosen else living.folder.parent
        shown.rename(hidden := shown.with_name("understudy-4194305-x"))
        own = {name: value for name, value in environ.items() if name != "TMPDIR"}
        shared_folder.prepare_folders(own)
        assert hidden.exists()
        assert not dead.folder.exists()
        shared_folder.remove(own)
        assert hidden.exists()
    finally:
        living.kill()
        dead.kill()


def test_who_takes_a_processs_place_makes_its_own_folders(tmp_path: Path) -> None:
    chosen = tmp_path / "chosen"
    before: dict[str, str] = {WORKERS_FOLDER: str(chosen)}
    shared_folder.prepare_folders(before)
    # As after SIGUSR2: another process, with this one's environment.
    after = before | {
        shared_folder.OWNER: before[shared_folder.OWNER].replace(str(os.getpid()), "1")
    }
    shared_folder.prepare_folders(after)
    assert before[METRICS] != after[METRICS]
    assert Path(before[METRICS]).parent not in Path(after[METRICS]).parents
    assert Path(after[WORKERS_FOLDER]).parent == chosen
    assert Path(before[WORKERS_FOLDER]).is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environ = {METRICS: str(tmp_path / "file" / "below")}
    with pytest.raises(
        shared_folder.RunFolderError, match=r"^PROMETHEUS_MULTIPROC_DIR: .*below: Not"
    ):
        shared_folder.prepare_folders(environ)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
