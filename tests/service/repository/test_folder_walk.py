"""Folders that are deeper or fuller than is looked at, by all who walk through them."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.repository.errors import RepositoryError
from service.repository.folder_walk import (
    MOST_DEPTH,
    MOST_ENTRIES,
    FolderTooLargeError,
    remove_tree,
    walk,
)
from service.repository.manifest import content_digest, verify_manifest, write_manifest
from service.repository.model_store import Store
from service.repository.serving_records import version_digest

# More levels than Python calls can nest, and than a path can name.
LEVELS = 3 * sys.getrecursionlimit()


@pytest.fixture(autouse=True)
def _removed(tmp_path: Path) -> Iterator[None]:
    """Leave nothing behind that pytest cannot remove."""
    yield
    remove_tree(tmp_path)


def nest(folder: Path, levels: int = LEVELS) -> None:
    """Make folders within folders; by handles, since no path is long enough."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)


def names(folder: Path) -> list[str]:
    return [
        path.relative_to(folder).as_posix()
        for parent, folders, files in walk(folder)
        for path in (parent / name for name in (*folders, *files))
    ]


def test_walks_in_a_fixed_order(tmp_path: Path) -> None:
    for name in ("b/y", "b/x", "a/z", "c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path)
    assert names(tmp_path) == ["a", "b", "link", "c", "a/z", "b/x", "b/y"]


def test_what_is_within_the_bounds_is_walked(tmp_path: Path) -> None:
    nest(tmp_path / "deep", MOST_DEPTH)
    assert len(names(tmp_path / "deep")) == MOST_DEPTH + 1
    (tmp_path / "full").mkdir()
    for i in range(MOST_ENTRIES):
        (tmp_path / "full" / str(i)).touch()
    assert len(names(tmp_path / "full")) == MOST_ENTRIES
    (tmp_path / "full" / "more").touch()
    with pytest.raises(FolderTooLargeError, match=r"Its folder holds more than 10000 files"):
        names(tmp_path / "full")


def test_a_deeper_folder_is_refused_by_name(tmp_path: Path) -> None:
    nest(tmp_path)
    with pytest.raises(FolderTooLargeError, match=r"^d/d/d/\.\.\. is deeper than 32 folders\.$"):
        names(tmp_path)


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    told: list[OSError] = []
    assert list(walk(tmp_path / "none", onerror=told.append)) == []
    assert [type(error) for error in told] == [FileNotFoundError]


def test_a_deep_folder_is_removed_whole(tmp_path: Path) -> None:
    nest(tmp_path / "doomed")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "doomed" / "link").symlink_to(tmp_path / "kept", target_is_directory=True)
    (tmp_path / "doomed" / "d" / "link").symlink_to(tmp_path / "kept", target_is_directory=True)
    remove_tree(tmp_path / "doomed")
    assert names(tmp_path) == ["kept", "kept/file"]
    remove_tree(tmp_path / "doomed")


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "m" / "1"
    nest(folder)
    return folder


def test_no_reader_of_a_version_follows_it_to_its_end(deep: Path) -> None:
    assert version_digest(deep) == version_digest(deep)
    for read in (content_digest, write_manifest):
        with pytest.raises(RepositoryError, match="is deeper"):
            read(deep)
    (deep / "manifest.json").write_text('{"format": 1, "files": {}}')
    with pytest.raises(RepositoryError, match="is deeper"):
        verify_manifest(deep)


def test_it_is_pruned_and_cannot_be_published(deep: Path) -> None:
    store = Store(deep.parent.parent)
    with pytest.raises(RepositoryError, match="is deeper"):
        store.publish("m", nest)
    assert [path.name for path in deep.parent.iterdir()] == ["1"]
    assert store.publish("m", lambda folder: (folder / "file").touch()) == 2
    assert store.prune("m", keep=1) == [1]
    assert [path.name for path in deep.parent.iterdir()] == ["2"]


def test_what_a_publisher_left_is_swept(deep: Path) -> None:
    left = deep.rename(deep.with_name(".incoming-left"))
    os.utime(left, (0, 0))
    Store(deep.parent.parent).sweep("m")
    assert list(deep.parent.iterdir()) == []
