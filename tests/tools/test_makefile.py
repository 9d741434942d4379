"""What the Makefile says before it installs anything."""

import subprocess
import sys
from pathlib import Path

import pytest

# A Python of whatever version.
_PYTHON = """#!{python}
import sys
sys.version_info = {version}
exec(sys.argv[2])
"""


@pytest.mark.parametrize(
    ("version", "taken"),
    [((3, 9, 2), False), ((3, 11, 0), True), ((3, 13, 9), True), ((3, 14, 0), False)],
)
def test_only_a_python_that_tensorflow_is_published_for_is_taken(
    tmp_path: Path, repository_root: Path, version: tuple[int, ...], taken: bool
) -> None:
    python = tmp_path / "python"
    python.write_text(_PYTHON.format(python=sys.executable, version=version))
    python.chmod(0o755)
    makefile = repository_root / "Makefile"
    outcome = subprocess.run(
        # It stops at the next step, where this Python is asked to make an environment.
        ["make", "-f", makefile, ".venv/pyvenv.cfg", f"PYTHON={python}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 2
    refused = (
        "Python 3.11, 3.12 or 3.13 is needed, which TensorFlow supports; name one with PYTHON="
    )
    assert (refused in outcome.stdout) is not taken
