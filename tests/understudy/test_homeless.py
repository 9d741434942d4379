"""A user without a home folder: no HOME, and no entry in the system's list of users."""

import pwd
from pathlib import Path

import pytest

from training.data import cache
from training.data.auto_mpg import AUTO_MPG
from understudy import cli

CAR = '18.0   8   307.0      130.0      3504.      12.0   70  1\t"chevrolet chevelle malibu"\n'


@pytest.fixture(autouse=True)
def _homeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["datasets"], "in which data sets could be: set KERAS_HOME to a folder, or name the data"),
        (["datasets", "mpg"], "in which data sets could be: set KERAS_HOME to a folder, or name"),
        (
            ["list", "--out", "s3://bucket/models"],
            "in which s3://bucket/models could be mirrored: set XDG_CACHE_HOME to a folder.",
        ),
    ],
)
def test_what_needs_a_home_says_what_to_set(
    command: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(command) == 1
    assert capsys.readouterr().err.startswith(f"This user has no home folder {sentence}")


def test_data_is_read_without_a_cache(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = AUTO_MPG.files
    (tmp_path / file.name).write_text(CAR * 392)
    assert cache.cache_home() is None
    assert cli.main(["datasets", "mpg", "--data", "."]) == 0
    assert "train: 392\n" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
