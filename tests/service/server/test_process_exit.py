"""A process that only starts ends at once, and cleans up once, however often it is asked."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import os, signal, sys
from service.server import process_exit

def clean_up():
    print("begun", flush=True)
    for name in ("SIGINT", "SIGTERM", "SIGQUIT"):
        os.kill(os.getpid(), getattr(signal, name))
    print("done", flush=True)

process_exit.exit_on_stop_signals()
process_exit.before_stopping_at_once(clean_up)
os.kill(os.getpid(), getattr(signal, sys.argv[1]))
print("not reached")
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGQUIT"])
def test_it_cleans_up_once(repository_root: Path, name: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, name],
        cwd=repository_root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "begun\ndone\n"
    assert result.stderr == ""
