"""What ``make`` shows while it installs."""

import os
import pty
import sys

import pytest

from tools.show_progress import main

FAILING = [sys.executable, "-c", "print('no network'); raise SystemExit(3)"]


def test_without_a_terminal_it_is_a_line_and_the_commands_own(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["installing", *FAILING]) == 3
    assert capfd.readouterr().out == "installing\nno network\n"


def test_on_a_terminal_a_line_moves_and_only_a_failure_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shows, writes = pty.openpty()
    with os.fdopen(writes, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        assert main(["installing", sys.executable, "-c", "print('Collecting click')"]) == 0
        said = os.read(shows, 10_000).decode()
        assert "⠙ installing" in said
        assert said.endswith("\r\x1b[K")
        assert "Collecting" not in said
        assert main(["installing", *FAILING]) == 3
        stream.flush()
        assert os.read(shows, 10_000).decode().endswith("\r\x1b[Kno network\r\n")
    os.close(shows)
