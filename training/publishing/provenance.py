"""Records what a model was made with: the source's commit, the libraries' versions."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import tensorflow as tf

# What can change a version that is trained.
_SOURCES = ("training", "service/repository")


def git_commit() -> str:
    """Return the commit of this source, with "+changes" when files differ; "" outside git.

    Installed into a folder of another repository, it is outside: that one's commits say nothing
    of it.
    """
    try:
        _git("ls-files", "--error-unmatch", "--", str(Path(__file__)))
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *_SOURCES)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{commit}+changes" if changed else commit


def libraries() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide what a model computes."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": metadata.version("keras"),
        "numpy": metadata.version("numpy"),
    }


def _git(*arguments: str) -> str:
    here = Path(__file__).parents[2]
    # A hook of git's has these, and they name the repository that it is of.
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", "-C", str(here), *arguments], check=True, capture_output=True, text=True, env=own
    ).stdout.strip()
