"""A number of a version is given once, whatever became of the version."""

import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.repository import version_numbers
from service.repository.errors import RepositoryError
from service.repository.folder_names import LAST_VERSION
from service.repository.model_store import Store
from service.repository.serving_records import FOLDER, ModelRecord, write_record
from service.repository.version_numbers import highest_given


def fill(directory: Path) -> None:
    (directory / "saved_model.pb").write_bytes(b"graph")


def test_a_number_is_not_given_again_when_its_version_is_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert [store.publish("m", fill) for _ in range(3)] == [1, 2, 3]
    shutil.rmtree(tmp_path / "m" / "3")
    assert store.publish("m", fill) == 4
    shutil.rmtree(tmp_path / "m" / "4")
    shutil.rmtree(tmp_path / "m" / "2")
    assert store.publish("m", fill) == 5
    assert list(store.versions("m")) == [1, 5]


def test_nor_when_the_whole_model_is_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert [store.publish("m", fill) for _ in range(2)] == [1, 2]
    shutil.rmtree(tmp_path / "m")
    assert store.models() == []
    assert store.publish("m", fill) == 3
    assert store.publish("other", fill) == 1


def test_one_mark_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for _ in range(5):
        store.publish("m", fill)
    folder = tmp_path / ".published" / "numbers" / "m"
    assert [mark.name for mark in folder.iterdir()] == ["5"]


def test_marks_are_no_models_and_no_versions(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.publish("m", fill)
    models, ignored = store.survey()
    assert models == ["m"]
    assert ignored == []


def test_a_version_that_a_service_serves_was_given(tmp_path: Path) -> None:
    """It was copied in by hand, and removed while it served."""
    (tmp_path / FOLDER).mkdir()
    write_record(
        tmp_path / FOLDER / "web-1.json", {"m": ModelRecord(versions={7: ""})}, {"host": "web-1"}
    )
    assert Store(tmp_path).publish("m", fill) == 8
    assert Store(tmp_path).publish("other", fill) == 1


def test_a_store_that_takes_no_marks_has_them_in_the_models_folder(tmp_path: Path) -> None:
    """As where another user owns the store's own folder: here a file is in its place."""
    (tmp_path / ".published").write_text("")
    store = Store(tmp_path)
    assert [store.publish("m", fill) for _ in range(2)] == [1, 2]
    shutil.rmtree(tmp_path / "m" / "2")
    assert store.publish("m", fill) == 3
    assert store.survey() == (["m"], [])


def test_a_store_that_takes_no_marks_at_all_can_be_published_into(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / ".published").write_text("")
    (tmp_path / "m" / ".numbers").write_text("")
    store = Store(tmp_path)
    assert [store.publish("m", fill) for _ in range(2)] == [1, 2]


def test_what_is_no_mark_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / ".published" / "numbers" / "m"
    folder.mkdir(parents=True)
    strange = ["notes.txt", "٣", "-5", "9" * 25, str(LAST_VERSION)]
    for name in strange:
        (folder / name).write_text("")
    assert Store(tmp_path).publish("m", fill) == 1
    assert {mark.name for mark in folder.iterdir()} == {*strange, "1"}


def test_a_version_that_could_not_appear_leaves_its_number_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.publish("m", fill)

    def full(_self: Path, _target: object) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        with pytest.raises(OSError, match="No space left"):
            store.publish("m", fill)
    assert highest_given(tmp_path, "m") == 1
    assert store.publish("m", fill) == 2


def test_the_last_number_stays_used_up(tmp_path: Path) -> None:
    (tmp_path / "m" / str(LAST_VERSION - 1)).mkdir(parents=True)
    assert Store(tmp_path).publish("m", fill) == LAST_VERSION
    with pytest.raises(RepositoryError, match="there is no number above it"):
        Store(tmp_path).publish("m", fill)


def test_publishers_at_once_give_each_number_once_while_versions_are_removed(
    tmp_path: Path, repository_root: Path
) -> None:
    """Four processes publish; each removes what it published as soon as it is there."""
    script = textwrap.dedent(
        """
        import pathlib, shutil, sys
        from service.repository.model_store import Store

        root = pathlib.Path(sys.argv[1])
        for _ in range(25):
            version = Store(root).publish("m", lambda d: (d / "saved_model.pb").write_bytes(b"x"))
            print(version)
            shutil.rmtree(root / "m" / str(version))
        """
    )

    def publish(_: int) -> list[int]:
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)],
            cwd=repository_root,
            capture_output=True,
            text=True,
            check=True,
        )
        return [int(line) for line in done.stdout.split()]

    with ThreadPoolExecutor(4) as pool:
        given = [version for each in pool.map(publish, range(4)) for version in each]
    assert len(given) == 100
    assert len(set(given)) == 100


def test_a_publisher_that_waits_before_it_takes_a_number_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else others give the number that it has seen to be free, and forget that they did."""
    store, claim = Store(tmp_path), version_numbers.claim
    has_looked, may_take = threading.Event(), threading.Event()

    def late(root: Path, model: str, number: int) -> bool:
        if not has_looked.is_set():
            has_looked.set()
            may_take.wait(60)
        return claim(root, model, number)

    def publish_and_remove() -> int:
        version = store.publish("m", fill)
        shutil.rmtree(tmp_path / "m" / str(version))
        return version

    assert store.publish("m", fill) == 1
    monkeypatch.setattr(version_numbers, "claim", late)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.publish, "m", fill)
        assert has_looked.wait(60)
        others = pool.submit(lambda: [publish_and_remove(), publish_and_remove()])
        time.sleep(0.1)  # Without a lock they are through by now.
        may_take.set()
        assert (first.result(), others.result()) == (2, [3, 4])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_others_own(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    tmp_path.chmod(0o555)
    try:
        store = Store(tmp_path)
        assert store.publish("m", fill) == 1
        shutil.rmtree(tmp_path / "m" / "1")
        assert store.publish("m", fill) == 2
    finally:
        tmp_path.chmod(0o755)
