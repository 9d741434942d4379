"""``keys``: made, listed and removed on the command line."""

import stat
from pathlib import Path

import pytest

from service.access.key_file import digest_of, read_keys
from understudy import cli


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "keys.json"
    monkeypatch.setenv("UNDERSTUDY_KEYS_FILE", str(file))
    return file


def test_a_key_is_printed_once(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model", "a", "--model", "b", "--rate", "50", "--burst", "100"]
    assert cli.main(["keys", "add", "shop", *options]) == 0
    printed = capsys.readouterr()
    # Alone on standard output, so that it can be piped to where it is kept.
    (key,) = printed.out.splitlines()
    assert key not in printed.err
    (found,) = read_keys(path).values()
    assert found.digest == digest_of(key.encode())
    assert (found.name, found.models) == ("shop", frozenset("ab"))
    assert (found.requests_per_s, found.burst) == (50.0, 100)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    assert cli.main(["keys", "add", "lab"]) == 0
    capsys.readouterr()
    assert cli.main(["keys", "list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:-1] for line in lines] == [
        ["shop", "a,", "b", "50", "requests/s"],
        ["lab", "*", "any", "rate"],
    ]
    assert cli.main(["keys", "remove", "shop"]) == 0
    assert [key.name for key in read_keys(path).values()] == ["lab"]


def test_a_key_may_be_for_audits(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "add", "labels", "--may", "audit"]) == 0
    assert cli.main(["keys", "add", "both", "--may", "audit", "--may", "predict"]) == 0
    capsys.readouterr()
    assert cli.main(["keys", "list"]) == 0
    lines = [line.split("  may ")[1][:14].split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == ["audit", "audit,"]
    assert lines[1][1] == "predict"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["keys", "add"], "keys add needs the key's name. See understudy keys --help."),
        (["keys", "add", "one"], "keys.json has a key 'one' already"),
        (["keys", "add", "a b"], "A key's name has letters, digits, '.', '_' and '-'"),
        (["keys", "add", "two", "--model", "*"], "'*' cannot be a model's name; a key without --model may ask all."),
        (["keys", "add", "two", "--model", "a/b"], "--model: 'a/b' cannot be a model's name"),
        (["keys", "add", "two", "--burst", "3"], "--burst needs --rate."),
        (["keys", "remove", "two"], "keys.json has no key 'two'."),
        (["keys", "remove", "two", "--file", "none"], "none is not there."),
        (["keys", "remove", "one", "--model", "m"], "keys remove takes no --model, which goes"),
        (["keys", "list", "--rate", "5"], "keys list takes no --rate, which goes with keys add."),
        (["keys", "list", "one"], "keys list takes no name: it lists all keys."),
        (["keys", "add", "two", "--file", "no/keys"], "no, where keys is to be, is no folder."),
    ],
)  # fmt: skip
def test_wrong_usage_changes_nothing(
    path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["keys", "add", "one"]) == 0
    before = path.read_bytes()
    capsys.readouterr()
    assert cli.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_file_that_is_not_right_is_a_sentence(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["keys", "list"]) == 1
    assert capsys.readouterr().err == "keys.json cannot be read: No such file or directory.\n"
    path.write_text("{")
    path.chmod(0o600)
    assert cli.main(["keys", "add", "one"]) == 1
    assert "keys.json is not JSON" in capsys.readouterr().err
    assert path.read_text() == "{"
    monkeypatch.delenv("UNDERSTUDY_KEYS_FILE")
    assert cli.main(["keys", "list"]) == 2
    assert "Give --file, or set UNDERSTUDY_KEYS_FILE." in capsys.readouterr().err
