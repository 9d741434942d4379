"""Tables: wrapped on a terminal, a line for each row elsewhere."""

import pytest

from training.console.terminal_table import print_table

LONG = "word " * 60


def test_a_pipe_gets_a_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "why"), [("[a]", LONG), ("b", "x")])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["name  why", f"[a]   {LONG.strip()}", "b     x"]


def test_a_terminal_gets_no_line_that_is_wider(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    print_table(("name", "why"), [("a", LONG)])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 3
    assert all(len(line) <= 80 for line in lines)
