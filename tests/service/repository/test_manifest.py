import os
from collections.abc import Callable
from pathlib import Path

import pytest

from service.repository.errors import RepositoryError
from service.repository.manifest import (
    MANIFEST,
    content_digest,
    has_manifest,
    verify_manifest,
    write_manifest,
)


@pytest.fixture
def version(tmp_path: Path) -> Path:
    directory = tmp_path / "1"
    (directory / "variables").mkdir(parents=True)
    (directory / "variables" / "data").write_bytes(b"weights")
    (directory / "saved_model.pb").write_bytes(b"graph")
    write_manifest(directory)
    return directory


def test_what_was_written_verifies(version: Path) -> None:
    assert has_manifest(version)
    verify_manifest(version)


def flip_bit(version: Path) -> None:
    data = bytearray((version / "variables" / "data").read_bytes())
    data[3] ^= 1
    (version / "variables" / "data").write_bytes(data)


def link_out(version: Path) -> None:
    (version / "saved_model.pb").unlink()
    (version.parent / "elsewhere").write_bytes(b"graph")
    (version / "saved_model.pb").symlink_to(version.parent / "elsewhere")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda v: (v / "variables" / "data").write_bytes(b"wei"), "variables/data has 3 bytes"),
        (flip_bit, "variables/data does not have the content"),
        (lambda v: (v / "saved_model.pb").unlink(), "saved_model.pb is in the manifest but not"),
        (lambda v: (v / "variables" / "more").write_bytes(b""), "variables/more is on disk but"),
        (link_out, "saved_model.pb is a symbolic link"),
        (lambda v: (v / MANIFEST).write_text("{"), "manifest.json is not JSON"),
        (lambda v: (v / MANIFEST).write_text("[]"), r"must hold a JSON object, not \[\]"),
        (lambda v: (v / MANIFEST).write_text("null"), "must hold a JSON object, not null"),
        (lambda v: (v / MANIFEST).write_text('{"format": 2}'), "not a manifest of format 1"),
        (
            lambda v: (v / MANIFEST).write_text('{"format": 1, "files": {"a": 1}}'),
            "not a manifest of format 1",
        ),
        (lambda v: (v / MANIFEST).unlink(), "manifest.json cannot be read: No such file"),
    ],
)
def test_any_change_is_named(version: Path, spoil: Callable[[Path], object], reason: str) -> None:
    spoil(version)
    with pytest.raises(RepositoryError, match=reason):
        verify_manifest(version)


def test_an_unreadable_file_is_named(version: Path) -> None:
    (version / "saved_model.pb").chmod(0)
    if os.access(version / "saved_model.pb", os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(RepositoryError, match=r"saved_model.pb cannot be read: Permission denied"):
        verify_manifest(version)


def test_a_disk_that_fails_is_named(version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("hashlib.file_digest", fail)
    with pytest.raises(RepositoryError, match=r"cannot be read: Input/output error"):
        verify_manifest(version)


def test_a_content_has_one_digest_with_and_without_a_manifest(version: Path) -> None:
    digest = content_digest(version)
    (version / MANIFEST).unlink()
    assert content_digest(version) == digest
    (version / "back").symlink_to(version)
    os.mkfifo(version / "pipe")
    assert content_digest(version) == digest
    flip_bit(version)
    assert content_digest(version) != digest
