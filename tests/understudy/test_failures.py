"""What other people's code raises from anywhere becomes a sentence and an exit code."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from tests.forked import TRAINING, ForkedCommand
from training.errors import TrainingError
from training.fitting import config
from training.preprocessing import ngrams
from understudy import cli
from understudy.commands import list as listing


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OperationalError("SELECT 1", {}, sqlite3.OperationalError("database is locked")),
            "locked",
        ),
        (OperationalError("x", {}, sqlite3.OperationalError("disk is full")), "disk is full"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "readonly"),
        (StorageInternalError("An exception is raised during the commit."), "the commit"),
        (MemoryError("Unable to allocate 9 GiB"), "not enough memory: Unable to allocate 9 GiB"),
    ],
)
def test_failures_from_anywhere_are_told(
    error: Exception,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(listing.command, "callback", fail)
    assert cli.main(["list"]) == 1
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


def test_a_fault_of_this_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(listing.command, "callback", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["list"])


# Of the last two TensorFlow takes note when it is imported: they need a Python that has nothing.
@pytest.mark.parametrize(
    ("package", "is_forked"), [("optuna", True), ("rich", True), ("keras", False), ("numpy", False)]
)
def test_a_package_that_is_missing_is_named(
    package: str, is_forked: bool, tmp_path: Path, repository_root: Path
) -> None:
    # ``None`` in place of a module is how Python itself says that there is none.
    code = (
        "import sys\n"
        f"for name in [each for each in sys.modules if each.split('.')[0] == {package!r}]:\n"
        "    del sys.modules[name]\n"
        f"sys.modules[{package!r}] = None\n"
        "sys.argv[1:] = ['tune', 'mpg', '--trials', '1']\n"
        "from understudy.__main__ import run; sys.exit(run())"
    )
    env = {"PYTHONPATH": str(repository_root), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    errors = tmp_path / "errors"
    if is_forked:
        process = ForkedCommand(
            TRAINING, ["-c", code], cwd=tmp_path, env=env, stdout=tmp_path / "out", stderr=errors
        )
        assert process.wait(120) == 1
    else:
        with errors.open("wb") as file:
            command = [sys.executable, "-c", code]
            done = subprocess.run(command, cwd=tmp_path, env=env, stderr=file, check=False)
        assert done.returncode == 1
    told = errors.read_text()
    assert f"The package {package!r} is missing in this Python." in told
    assert "make install-train" in told
    assert "Traceback" not in told


def test_the_services_folder_of_models_is_the_trainers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert config.default_out() == Path("saved_models")
    monkeypatch.setenv("MODELS", str(tmp_path))
    assert cli.main(["list"]) == 0
    assert capsys.readouterr().out == f"There are no models in {tmp_path}.\n"


def test_more_words_than_can_be_told_apart_are_refused() -> None:
    words = np.array([0, 2_097_150], np.int64)
    with pytest.raises(
        TrainingError, match=r"^The texts have 2,097,151 distinct words; at most 2,"
    ):
        ngrams.occurrences(words, np.array([2]), 1, 1)
    assert ngrams.occurrences(words - [0, 1], np.array([2]), 1, 1).texts == 1


def test_an_image_that_only_serves_says_so(repository_root: Path) -> None:
    code = (
        "import sys; sys.modules['training'] = None\n"
        "from understudy.cli import main; sys.exit(main(sys.argv[1:]))"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=repository_root,
            capture_output=True,
            text=True,
            check=False,
        )

    shown = run("--help")
    assert shown.returncode == 0
    assert "\n  serve " in shown.stdout
    assert "\n  train " not in shown.stdout
    refused = run("train", "mpg")
    assert refused.returncode == 1
    assert refused.stderr.startswith("This installation only serves models; the trainer is not")
    assert refused.stderr.count("\n") == 1
