"""``understudy serve``: what it starts, with which settings."""

import os
import signal
from pathlib import Path

import pytest

from service.tensorflow_serving import command as tensorflow_serving
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


def test_tensorflow_servings_flags_become_settings(
    started: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # It sets the process's log up, which is gunicorn's from then on.
    monkeypatch.setattr(tensorflow_serving, "_log", lambda *_: None)
    flags = ["--model_name", "half", "--model_base_path=/models/half", "--rest_api_port=9000"]
    with pytest.raises(StartedError):
        cli.main(["tensorflow-serving", *flags])
    names = ("UNDERSTUDY_MODEL_NAME", "UNDERSTUDY_MODEL_BASE_PATH", "PORT", "HOST")
    assert [started[name] for name in names] == ["half", "/models/half", "9000", "0.0.0.0"]


def test_a_wrong_flag_is_a_sentence(
    started: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["tensorflow-serving", "--modle_name=half"]) == 2
    expected = "understudy tensorflow-serving: --modle_name is not a flag of TensorFlow Serving"
    assert capsys.readouterr().err.startswith(expected)
    assert not started
