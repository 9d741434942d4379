import os
import threading
from pathlib import Path

import pytest

from service.repository.atomic_files import replacing, write_atomically


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
def test_replaces_the_file_and_leaves_nothing_else(
    tmp_path: Path, durable: bool, exclusive: bool
) -> None:
    path = tmp_path / "file.txt"
    write_atomically(path, b"old", durable=durable, exclusive=exclusive)
    write_atomically(path, b"new", durable=durable, exclusive=exclusive)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    path.write_bytes(b"old")
    with replacing(path, durable=False) as draft:
        draft.write_bytes(b"ne")
        assert path.read_bytes() == b"old"
        assert draft.name.startswith(".")
        assert draft.suffix == ".npz"
        draft.write_bytes(b"new")
    assert path.read_bytes() == b"new"


def test_a_failure_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_half() -> None:
        with replacing(path, durable=True) as draft:
            draft.write_bytes(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_only_what_is_durable_is_synced_and_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen: list[bytes] = []
    own = threading.get_ident()

    def fsync(handle: int) -> None:
        if threading.get_ident() == own:  # Threads of other tests write as well.
            seen.append(path.read_bytes())

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(path, b"first", durable=False)
    assert seen == []
    write_atomically(path, b"second", durable=True)
    assert seen == [b"first"]


def test_a_draft_that_a_killed_writer_left_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path, durable=False, exclusive=True) as draft:
        draft.write_bytes(b"whole")
    draft.write_bytes(b"hal")
    write_atomically(path, b"new", durable=False, exclusive=True)
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_share_a_draft(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path, durable=False) as one, replacing(path, durable=False) as other:
        assert one != other
        one.write_bytes(b"one")
        other.write_bytes(b"other")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]
