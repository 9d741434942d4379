"""The service as a person at a terminal starts it, sees it, and ends it by Ctrl-C."""

import os
import pty
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.e2e.conftest import eventually
from tests.savedmodels.affine import publish_affine
from tests.service_process import ServiceProcess, start_gunicorn


class Terminal:
    """A terminal, which keeps all that was shown on it."""

    def __init__(self) -> None:
        self._keyboard, self._screen = pty.openpty()
        self.path = Path(os.ttyname(self._screen))
        self._bytes = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                self._bytes += os.read(self._keyboard, 65536)
            except OSError:  # Nobody has it open any more.
                return

    @property
    def shown(self) -> str:
        return self._bytes.decode()

    def close(self) -> None:
        os.close(self._screen)
        self._reader.join(30)
        os.close(self._keyboard)


@contextmanager
def served(
    root: Path, models: Path, folder: Path, **environment: str
) -> Iterator[tuple[Terminal, ServiceProcess]]:
    terminal = Terminal()
    folder.mkdir()
    process = start_gunicorn(
        root=root,
        stdout=terminal.path,
        stderr=terminal.path,
        start_new_session=True,
        environment={
            "MODELS": str(models),
            "PORT": "0",
            "UNDERSTUDY_WORKERS": "2",
            "UNDERSTUDY_LAME_DUCK_S": "0",
            "TMPDIR": str(folder),
            "TERM": "xterm",
            "NO_COLOR": "",
            **environment,
        },
    )
    try:
        yield terminal, process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)
        terminal.close()


def test_it_ends_with_the_address_to_open_and_one_line_for_ctrl_c(
    repository_root: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    publish_affine(models)
    with served(repository_root, models, tmp_path / "run") as (terminal, process):
        eventually(lambda: "Open " in terminal.shown and terminal.shown.endswith("\n"))
        shown = terminal.shown
        assert "⠙ loading TensorFlow" in shown
        assert "loading models" in shown
        address = re.search(r"\r\x1b\[KUnderstudy serves \x1b\[1;32maffine\x1b\[0m\.\r\n(?:.*\r\n)*Open \x1b\[1;36m(http://127\.0\.0\.1:(?!0)\d+)\x1b\[0m\r\n$", shown)  # fmt: skip
        assert address, shown
        assert '{"time"' not in shown
        url = f"{address[1]}/v1/models/affine:predict"
        requests.post(url, json={"instances": 3}, timeout=60)
        eventually(lambda: "POST /v1/models/affine:predict 400: " in terminal.shown)
        publish_affine(models)
        # The last that the log says of a swap.
        eventually(
            lambda: "A version was retired." in terminal.shown.rpartition("Versions serve.")[2]
        )
        before = len(terminal.shown)
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        assert process.wait(60) == 0
        eventually(lambda: terminal.shown[before:].endswith("\n"))
        last = terminal.shown[before:]
    # Over what the terminal itself shows of the key.
    assert last == "\r\x1b[KStopped.\r\n"


@pytest.mark.parametrize("moment", ["loading TensorFlow", "loading models"])
def test_ctrl_c_is_one_line_while_it_starts(
    repository_root: Path, tmp_path: Path, moment: str
) -> None:
    publish_affine(tmp_path / "models")
    with served(repository_root, tmp_path / "models", tmp_path / "run") as (terminal, process):
        eventually(lambda: moment in terminal.shown)
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        assert process.wait(60) == 0
        eventually(lambda: terminal.shown.endswith("\n"))
        shown = re.sub(r"\r?[^\r\n]*\r\x1b\[K", "", terminal.shown)
    assert shown == "Stopped.\r\n"


def test_an_empty_folder_is_named_and_what_to_do_and_no_colour_is_kept_to(
    repository_root: Path, tmp_path: Path
) -> None:
    models = tmp_path / "none"
    with served(repository_root, models, tmp_path / "run", NO_COLOR="1") as (terminal, process):
        eventually(lambda: "Open " in terminal.shown and terminal.shown.endswith("\n"))
        shown = terminal.shown
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        assert process.wait(60) == 0
    assert f"There is no model to serve in {models} because that folder is not there." in shown
    assert "understudy import FILE --name NAME" in shown
    assert "\x1b[1;" not in shown
    assert "\x1b[33m" not in shown
