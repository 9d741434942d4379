"""What ``make`` shows while it installs."""

import os
import pty
import select
import sys

import pytest

from tools.show_progress import main

FAILING = [sys.executable, "-c", "print('no network'); raise SystemExit(3)"]


def test_without_a_terminal_it_is_a_line_and_the_commands_own(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["installing", *FAILING]) == 3
    assert capfd.readouterr().out == "installing\nno network\n"


def read_to(terminal: int, ending: str) -> str:
    """Return what comes to a terminal, which hands it over in parts, until a text ends it."""
    said = b""
    while not said.decode(errors="replace").endswith(ending):
        assert select.select([terminal], [], [], 30)[0], said
        said += os.read(terminal, 10_000)
    return said.decode()


def test_on_a_terminal_a_line_moves_and_only_a_failure_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shows, writes = pty.openpty()
    with os.fdopen(writes, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        assert main(["installing", sys.executable, "-c", "print('Collecting click')"]) == 0
        stream.flush()
        said = read_to(shows, "installing\r\x1b[K")
        assert "⠙ installing" in said
        assert "Collecting" not in said
        assert main(["installing", *FAILING]) == 3
        stream.flush()
        assert "Collecting" not in read_to(shows, "\r\x1b[Kno network\r\n")
    os.close(shows)
