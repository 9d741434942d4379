"""How ``make demo-loop`` ends where it cannot begin."""

import pytest

from benchmarks.demo_loop import __main__ as demo_loop
from training.errors import TrainingError


def test_data_that_is_missing_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nowhere(*_: object) -> None:
        raise TrainingError("There is no auto-mpg data here.")

    monkeypatch.setattr("sys.argv", ["demo_loop"])
    monkeypatch.setattr(demo_loop, "exit_on_sigterm", lambda: None)
    monkeypatch.setattr(demo_loop, "find_or_download", nowhere)
    assert demo_loop.main() == 1
    assert capsys.readouterr().err == "There is no auto-mpg data here.\n"
