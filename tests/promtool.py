"""Prometheus' own checks of what the project gives it; skipped where there is no promtool."""

import shutil
import subprocess
from pathlib import Path

import pytest


def promtool(*arguments: str | Path, text: bytes | None = None) -> str:
    """Run ``promtool check``, ``promtool test`` and the like, and return what it prints.

    Args:
        arguments: its arguments.
        text: what it reads.
    """
    command = shutil.which("promtool")
    if command is None:
        pytest.skip("there is no promtool; Debian's prometheus brings it")
    result = subprocess.run(
        [command, *map(str, arguments)], input=text, capture_output=True, check=False
    )
    printed = (result.stdout + result.stderr).decode()
    assert result.returncode == 0, printed
    return printed
