"""The commit that a version was made with."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from training.publishing import provenance


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A repository of somebody's own, with one commit."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    return tmp_path


def test_a_hook_of_another_repository_does_not_lend_its_commit(
    other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = provenance.git_commit()
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert provenance.git_commit() == before


def test_a_copy_in_another_repository_has_no_commit(other: Path) -> None:
    installed = other / "site-packages" / "training" / "publishing" / "provenance.py"
    installed.parent.mkdir(parents=True)
    shutil.copy(provenance.__file__, installed)
    spec = importlib.util.spec_from_file_location("installed_provenance", installed)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    assert copy.git_commit() == ""
    subprocess.run(["git", "-C", str(other), "add", "site-packages"], check=True)
    assert copy.git_commit().endswith("+changes")
