"""``understudy serve``: what it starts, with which settings."""

import os
import signal
from pathlib import Path

import pytest

from understudy import cli


class StartedError(Exception):
    """In place of the process that gunicorn would take over."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment that gunicorn was started with, and its arguments under an empty name."""
    found: dict[str, str] = {}

    def start(path: str, arguments: list[str], environment: dict[str, str]) -> None:
        held = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert held >= {signal.SIGINT, signal.SIGTERM, signal.SIGQUIT}
        found.update(environment)
        found[""] = " ".join([path, *arguments[1:]])
        raise StartedError

    monkeypatch.setattr(os, "execve", start)
    for name in ("HOST", "PORT", "MODELS", "UNDERSTUDY_WORKERS"):
        monkeypatch.delenv(name, raising=False)
    return found


def test_options_become_the_settings_variables(started: dict[str, str]) -> None:
    options = ["--host", "::1", "--port", "9000", "--models", "m", "--workers", "3"]
    with pytest.raises(StartedError):
        cli.main(["serve", *options])
    names = ("HOST", "PORT", "MODELS", "UNDERSTUDY_WORKERS")
    assert [started[name] for name in names] == ["::1", "9000", "m", "3"]


def test_an_option_wins_over_its_variable(
    started: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "9001")
    monkeypatch.setenv("HOST", "::1")
    with pytest.raises(StartedError):
        cli.main(["serve", "--port", "9002"])
    assert (started["HOST"], started["PORT"]) == ("::1", "9002")
    assert "MODELS" not in started


def test_gunicorn_is_started_with_the_services_configuration(started: dict[str, str]) -> None:
    with pytest.raises(StartedError):
        cli.main(["serve"])
    gunicorn, option, configuration = started[""].split()
    assert os.access(gunicorn, os.X_OK)
    assert option == "-c"
    assert Path(configuration).is_absolute()
    assert Path(configuration).is_file()


def test_signals_are_held_only_for_what_takes_its_place(started: dict[str, str]) -> None:
    """gunicorn's configuration takes them; until then a Ctrl-C would be a stack trace."""
    with pytest.raises(StartedError):
        cli.main(["serve"])
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_wrong_setting_is_a_sentence(
    started: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["serve", "--port", "http"]) == 2
    expected = "PORT must be a whole number, not 'http'. See understudy serve --help.\n"
    assert capsys.readouterr().err == expected
    assert not started
