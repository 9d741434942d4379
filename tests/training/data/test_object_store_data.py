"""Data in an object store, of which a folder on the disk is one."""

import os
import sys
from pathlib import Path

import pytest

from service.repository.errors import RepositoryError
from service.repository.object_store.bucket import Bucket
from tests.training.toy import Toy, write_points
from training.data import object_store_data
from training.data.load import load_data
from training.data.object_store_data import local_copy
from training.errors import UsageError

pytest.importorskip("obstore", reason="obstore is not installed")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder that a store of its URL holds."""
    (tmp_path / "store" / "pictures" / "b").mkdir(parents=True)
    (tmp_path / "store" / "pictures" / "a.png").write_text("one")
    (tmp_path / "store" / "pictures" / "b" / "c.png").write_text("two")
    (tmp_path / "store" / "cars.csv").write_text("mpg\n1\n")
    return tmp_path / "store"


def url(path: Path) -> Path:
    """Return it as ``--data`` does, where a path loses a slash."""
    return Path(f"file://{path}")


def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    fetch = Bucket.fetch

    def noting(self: Bucket, name: str, *args: object, **options: object) -> None:
        names.append(name)
        fetch(self, name, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Bucket, "fetch", noting)
    return names


def test_a_path_is_itself(tmp_path: Path) -> None:
    assert local_copy(tmp_path) == tmp_path


def test_a_file_keeps_its_name(store: Path) -> None:
    copy = local_copy(url(store / "cars.csv"))
    assert copy.name == "cars.csv"
    assert copy.read_text() == "mpg\n1\n"


def test_a_folder_is_fetched_once_and_what_changes_anew(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = fetched(monkeypatch)
    first = local_copy(url(store / "pictures"))
    assert (first / "a.png").read_text() == "one"
    assert (first / "b" / "c.png").read_text() == "two"
    assert local_copy(url(store / "pictures")) == first
    assert sorted(names) == ["a.png", "b/c.png"]

    names.clear()
    (store / "pictures" / "a.png").unlink()
    (store / "pictures" / "b" / "d.png").write_text("three")
    second = local_copy(url(store / "pictures"))
    assert {path.name for path in second.rglob("*.png")} == {"c.png", "d.png"}
    assert names == ["b/d.png"]
    # Who has begun with the first goes on with it.
    assert (first / "a.png").read_text() == "one"


def test_what_was_broken_off_goes_on(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = Bucket.fetch

    def broken(self: Bucket, name: str, *args: object, **options: object) -> None:
        if name == "b/c.png":
            raise KeyboardInterrupt
        fetch(self, name, *args, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "fetch", broken)
        with pytest.raises(KeyboardInterrupt):
            local_copy(url(store / "pictures"))
    copy = local_copy(url(store / "pictures"))
    assert (copy / "b" / "c.png").read_text() == "two"


def test_states_that_nobody_asks_for_are_removed(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = local_copy(url(store / "pictures"))
    os.utime(first, (0, 0))
    (store / "pictures" / "a.png").write_text("other")
    second = local_copy(url(store / "pictures"))
    assert not first.exists()
    assert second.is_dir()
    assert len(list(second.parent.glob("*.json"))) == 1


def test_names_that_are_no_files() -> None:
    stored = object_store_data.StoredObject(0, "m")
    names = ("a/b.png", "a", "../x", "/y", "z//z", "nul\0")
    assert list(object_store_data._files(dict.fromkeys(names, stored))) == ["a/b.png"]


def test_nothing_there(store: Path) -> None:
    (store / "empty").mkdir()
    with pytest.raises(UsageError, match=r"^There is nothing at file:///.*/store/empty\.$"):
        local_copy(url(store / "empty"))
    with pytest.raises(RepositoryError, match=r"/store/none\.csv"):
        local_copy(url(store / "none.csv"))


def test_without_obstore_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(RepositoryError, match=r"pip install 'understudy\[object-store\]'"):
        local_copy(Path("s3:/bucket/cars.csv"))


def test_data_is_told_by_its_url(store: Path) -> None:
    write_points(store / "points")
    loaded = load_data(Toy(), url(store / "points"), 0.01)
    assert loaded.story.endswith(f"--data, file://{store}/points")
    with pytest.raises(UsageError, match=rf"^file://{store}/pictures does not hold the"):
        load_data(Toy(), url(store / "pictures"), 0.01)
