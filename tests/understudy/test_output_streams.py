"""What a command prints never ends it, and never ends in a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked import TRAINING, ForkedCommand
from tests.owndata import sentences, write_csv

SAY = (
    "from understudy.output_streams import Streams\n"
    "from training.console.progress import say\n"
    "streams = Streams()\n"
    "import sys\n"
    "for _ in range(20_000):\n"
    "    say('caf\\xe9 \\u65e5 \\udce9')\n"
    "sys.stderr.write(f'done {streams.problem()}')\n"
)

# Each argument's file is read as own data, in one Python: TensorFlow takes seconds to import.
READ_EACH = (
    "from understudy.output_streams import Streams\n"
    "streams = Streams()\n"
    "import sys\n"
    "from understudy.cli import main\n"
    "for path in sys.argv[1:]:\n"
    "    main(['datasets', 'sentiment', '--data', path])\n"
)


def shell(root: Path, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which $PY is this Python and $SAY a script that prints a lot."""
    return subprocess.run(
        ["bash", "-c", line],
        cwd=root,
        env={**os.environ, "PY": sys.executable, "SAY": SAY, **environment},
        capture_output=True,
        text=True,
        check=False,
        errors="replace",
    )


def datasets(root: Path, *, output: Path, errors: Path) -> ForkedCommand:
    """Start the command that shows where the data is, which imports TensorFlow."""
    command = ["-m", "training", "datasets"]
    return ForkedCommand(TRAINING, command, cwd=root, env=os.environ, stdout=output, stderr=errors)


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("ascii", r"caf\xe9 \u65e5 \udce9"),
        ("utf-8", r"café 日 \udce9"),
        ("ascii:strict", r"caf\xe9 \u65e5 \udce9"),
    ],
)
def test_what_a_terminal_cannot_write(repository_root: Path, encoding: str, written: str) -> None:
    done = shell(repository_root, '"$PY" -c "$SAY"', PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.stderr == "done "
    assert set(done.stdout.splitlines()) == {written}
    assert done.stdout.count("\n") == 20_000


@pytest.mark.parametrize("output", ["| head -n 1", "| true", ">&-"])
def test_nobody_reads(repository_root: Path, output: str) -> None:
    done = shell(repository_root, f'"$PY" -c "$SAY" {output}')
    assert done.stderr == "done "
    assert done.stdout in ("", "café 日 \\udce9\n")


def test_a_disk_that_is_full_is_told_at_the_end(repository_root: Path, tmp_path: Path) -> None:
    done = shell(repository_root, '"$PY" -c "$SAY" > /dev/full')
    assert done.stderr == "done Some of the output could not be written: No space left on device."
    errors = tmp_path / "errors"
    assert datasets(repository_root, output=Path("/dev/full"), errors=errors).wait(60) == 1
    assert (
        errors.read_text() == "Some of the output could not be written: No space left on device.\n"
    )


def test_errors_that_nobody_can_read(repository_root: Path) -> None:
    for output in ("2>/dev/full", "2>&-", ">&- 2>&-", "2> >(true)"):
        assert shell(repository_root, f'"$PY" -m training nothing {output}').returncode == 2


def test_commands_whose_reader_has_seen_enough(repository_root: Path, tmp_path: Path) -> None:
    for command, first in (("list", "model"), ("--help", "Usage")):
        done = shell(
            repository_root, f'"$PY" -m training {command} | head -n 1; exit ${{PIPESTATUS[0]}}'
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(first)
    pipe, errors = tmp_path / "pipe", tmp_path / "errors"
    os.mkfifo(pipe)
    process = datasets(repository_root, output=pipe, errors=errors)
    shown = subprocess.run(["head", "-n", "1", str(pipe)], capture_output=True, check=True)
    assert (process.wait(60), errors.read_text()) == (0, "")
    assert shown.stdout.startswith(b"data set")


def test_classes_that_a_terminal_cannot_write(repository_root: Path, tmp_path: Path) -> None:
    rows = [(text, {"ham": "café", "spam": "日本"}[label]) for text, label in sentences(
        120, ["ham", "spam"]
    )]  # fmt: skip
    path = write_csv(tmp_path / "caf\u00e9.csv", ["text", "label"], [*rows])
    done = shell(
        repository_root,
        f'"$PY" -c "$READ_EACH" "{path}" "{path}-absent"',
        READ_EACH=READ_EACH,
        PYTHONIOENCODING="ascii",
        PYTHONUTF8="0",
    )
    assert "classes.caf\\xe9: 60\nclasses.\\u65e5\\u672c: 60\n" in done.stdout
    assert done.stderr.endswith("caf\\xe9.csv-absent is not there.\n")
