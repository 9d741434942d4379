"""Runs what the page shows as code."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def check_samples(codes: Mapping[str, str], expected: str, folder: Path) -> None:
    """Run each sample, by its title, in ``folder``; all print what is expected.

    JavaScript's is left out where there is no node, which CI needs for nothing else.
    """
    for title, code in codes.items():
        runner = {
            "curl": ["sh", "-c", code],
            "JavaScript": ["node", "--input-type=module", "--eval", code],
        }.get(title, [sys.executable, "-c", code])
        if shutil.which(runner[0]) is None:
            continue
        done = subprocess.run(
            runner, capture_output=True, text=True, timeout=60, cwd=folder, check=False
        )
        assert expected in done.stdout, (title, code, done.stdout, done.stderr)
