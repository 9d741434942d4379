"""The commands that the documentation shows exist, with their options."""

import re
from pathlib import Path

import pytest

cli = pytest.importorskip("understudy.cli", reason="the command is not there yet")

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# In code, at the beginning of a line or after a backtick, a prompt or a path; up to a comment.
COMMAND = re.compile(r"(?:^|[`/]|\$ )understudy ([a-z][a-z-]*)((?: [^`\n#|]+)?)", re.MULTILINE)


def shown() -> dict[str, set[str]]:
    """Return the options that are shown anywhere of each command."""
    found: dict[str, set[str]] = {}
    for page in PAGES:
        for name, rest in COMMAND.findall(page.read_text()):
            found.setdefault(name, set()).update(re.findall(r"(?<=\s)--[a-z-]+", rest))
    return found


def test_the_documentation_shows_commands() -> None:
    assert {"serve", "train", "retrain", "tune", "rollback"} <= shown().keys()


@pytest.mark.parametrize(("name", "options"), sorted(shown().items()), ids=sorted(shown()))
def test_a_command_and_its_options_exist(
    name: str, options: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert [option for option in sorted(options) if f"{option} " not in text] == []
