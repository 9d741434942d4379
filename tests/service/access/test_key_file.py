"""The file of API keys: what it holds, and what is refused of it."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from service.access.key_file import Right, change_keys, digest_of, new_key, read_keys
from service.repository.errors import RepositoryError
from tests.service.access.keys import add_key, remove_key

DIGEST = "ab" * 32
GOOD = {"name": "shop", "sha256": DIGEST, "models": "*"}


def written(path: Path, value: Any, mode: int = 0o600) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    path.chmod(mode)
    return path


def test_a_key_is_in_the_file_as_its_digest_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    key = add_key(path, "shop", "mpg", requests_per_s=5.0, burst=9)
    assert key not in path.read_text()
    (found,) = read_keys(path).values()
    assert found.digest == digest_of(key.encode())
    assert (found.name, found.models, found.requests_per_s, found.burst) == (
        "shop",
        frozenset(["mpg"]),
        5.0,
        9,
    )
    assert found.may_ask("mpg")
    assert not found.may_ask("other")
    assert not found.may_ask(None)


def test_what_a_key_may_do_is_written_where_it_is_not_to_predict_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "keys.json", {"keys": [GOOD]})
    # As files were before keys had rights.
    (old,) = read_keys(path).values()
    assert old.may == {Right.PREDICT}
    add_key(path, "labels", may=frozenset({Right.AUDIT}))
    entries = json.loads(path.read_text())["keys"]
    assert [entry.get("may") for entry in entries] == [None, ["audit"]]
    assert [key.may for key in read_keys(path).values()] == [{Right.PREDICT}, {Right.AUDIT}]


def test_keys_are_long_and_all_different() -> None:
    keys = {new_key("x")[0] for _ in range(100)}
    assert len(keys) == 100
    # 256 bits in base64.
    assert all(key.startswith("usk_") and len(key) == 4 + 43 for key in keys)


def test_a_new_file_is_closed_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    before = os.umask(0)
    try:
        add_key(path, "one")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o640)
        add_key(path, "two")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)
    remove_key(path, "one")
    assert [key.name for key in read_keys(path).values()] == ["two"]
    assert not list(tmp_path.glob(".draft*"))


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    path = tmp_path / "keys.json"
    path.symlink_to("secrets/keys.json")
    add_key(path, "one")
    assert path.is_symlink()
    assert len(read_keys(path)) == 1


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o620, 0o601])
def test_a_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "keys.json", {"keys": [GOOD]}, mode)
    with pytest.raises(RepositoryError, match=rf"is too open \(mode {mode:04o}\)"):
        read_keys(path)
    with pytest.raises(RepositoryError, match="is too open"):
        change_keys(path, lambda keys: keys.clear())


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_owner_and_group_may_read_it(tmp_path: Path, mode: int) -> None:
    assert len(read_keys(written(tmp_path / "keys.json", {"keys": [GOOD]}, mode))) == 1


SECRET = "usk_a-secret-by-mistake"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (SECRET, "is not JSON"),
        ([SECRET], "must hold a JSON object"),
        ("null", "must hold a JSON object, not null"),
        ("7", "must hold a JSON object, not 7"),
        ("true", "must hold a JSON object, not true"),
        ({SECRET: []}, r'must hold {"keys": \[...\]}'),
        ({"keys": {"shop": SECRET}}, r'must hold {"keys": \[...\]}'),
        ({"keys": [], "more": 1}, r'must hold {"keys": \[...\]}'),
        ({"keys": [SECRET]}, r"keys\[0\] must be an object"),
        ({"keys": [GOOD, {**GOOD, SECRET: 1}]}, r"keys\[1\]: expected burst, created, may, models"),
        ({"keys": [{**GOOD, "sha256": SECRET}]}, r"keys\[0\].sha256 must be the key's SHA-256"),
        ({"keys": [{**GOOD, "sha256": DIGEST.upper()}]}, r"keys\[0\].sha256 must be"),
        ({"keys": [{**GOOD, "name": "a b"}]}, r"keys\[0\].name must have letters"),
        ({"keys": [{**GOOD, "name": ""}]}, r"keys\[0\].name must have letters"),
        ({"keys": [{**GOOD, "name": 7}]}, r"keys\[0\].name must have letters"),
        ({"keys": [{**GOOD, "models": []}]}, r'keys\[0\].models must be "\*" or a list'),
        ({"keys": [{**GOOD, "models": None}]}, r'keys\[0\].models must be "\*" or a list'),
        ({"keys": [{**GOOD, "models": ["mpg", "*"]}]}, r'keys\[0\].models must be "\*" or a list'),
        ({"keys": [{**GOOD, "models": [1]}]}, r'keys\[0\].models must be "\*" or a list'),
        ({"keys": [{**GOOD, "requests_per_s": 0}]}, "requests_per_s must be a number above 0"),
        ({"keys": [{**GOOD, "requests_per_s": True}]}, "requests_per_s must be a number above 0"),
        # Its share in each of several workers would be 0.
        ({"keys": [{**GOOD, "requests_per_s": 5e-324}]}, "requests_per_s must be .* from 1e-09"),
        ({"keys": [{**GOOD, "requests_per_s": 1, "burst": 0.5}]}, "burst must be a whole number"),
        (
            {"keys": [{**GOOD, "requests_per_s": 1, "burst": 10**400}]},
            "burst must be a whole number",
        ),
        ({"keys": [{**GOOD, "burst": 2}]}, "burst needs requests_per_s"),
        ({"keys": [{**GOOD, "may": []}]}, r"keys\[0\].may must be a list of predict, audit"),
        ({"keys": [{**GOOD, "may": ["write"]}]}, r"keys\[0\].may must be a list"),
        ({"keys": [{**GOOD, "created": 2026}]}, "created must be a day"),
        ({"keys": [GOOD, {**GOOD, "sha256": "00" * 32}]}, "the name 'shop' occurs twice"),
        ({"keys": [GOOD, {**GOOD, "name": "b"}]}, "it is the key 'shop'"),
    ],
)
def test_a_broken_file_is_refused_by_its_place_and_without_its_values(
    tmp_path: Path, value: Any, reason: str
) -> None:
    with pytest.raises(RepositoryError, match=reason) as raised:
        read_keys(written(tmp_path / "keys.json", value))
    if value != [SECRET]:
        assert SECRET not in str(raised.value)


def test_what_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match=r"keys.json cannot be read: No such file"):
        read_keys(tmp_path / "keys.json")
    (tmp_path / "folder").mkdir(mode=0o700)
    with pytest.raises(RepositoryError, match="cannot be read"):
        read_keys(tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(RepositoryError, match="is not a file but a pipe"):
        read_keys(tmp_path / "pipe")
