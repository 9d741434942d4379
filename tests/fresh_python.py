"""Scripts that run in a Python of their own, which has imported nothing."""

import subprocess
import sys
from pathlib import Path


def run_script(script: str, *arguments: str) -> str:
    """Run a script in the project's folder, and return what it prints.

    Raises:
        subprocess.CalledProcessError: it fails.
    """
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=Path(__file__).resolve().parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout
