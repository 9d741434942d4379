import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.repository.errors import RepositoryError
from service.repository.manifest import verify_manifest
from service.repository.model_store import Store


def fill(directory: Path) -> None:
    (directory / "variables").mkdir()
    (directory / "variables" / "data").write_bytes(b"weights")
    (directory / "saved_model.pb").write_bytes(b"graph")


def test_publish_numbers_from_one_and_upwards(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert [store.publish("m", fill) for _ in range(3)] == [1, 2, 3]
    assert list(store.versions("m")) == [1, 2, 3]
    verify_manifest(store.versions("m")[3])


def test_the_next_number_follows_the_highest_even_when_others_are_gone(tmp_path: Path) -> None:
    (tmp_path / "m" / "41").mkdir(parents=True)
    assert Store(tmp_path).publish("m", fill) == 42


def test_names_that_are_no_versions_are_invisible(tmp_path: Path) -> None:
    for name in ("1", "007", "7", "-3", "3.5", "x", ".incoming-abc", "٣", "9" * 19):
        (tmp_path / "m" / name).mkdir(parents=True)
    (tmp_path / "m" / "8").write_text("a file")
    versions = Store(tmp_path).versions("m")
    assert list(versions) == [1, 7]
    assert versions[7].name == "7"


def test_zeros_before_a_version_are_the_same_number(tmp_path: Path) -> None:
    (tmp_path / "m" / "00000123").mkdir(parents=True)
    assert Store(tmp_path).versions("m")[123].name == "00000123"


def test_models_are_folders_with_versions(tmp_path: Path) -> None:
    for name in ("b/1", "a/2", "empty", ".hidden/1"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "file").write_text("")
    assert Store(tmp_path).models() == ["a", "b"]


def test_a_model_has_any_name_that_a_path_of_tensorflow_serving_can_hold(tmp_path: Path) -> None:
    served = ["!", "-m", "a b", "a%20b", "a+b", "a@b", "modèle", "m\\n", "(m)", "a?b#c", "日本"]
    never = ["a:b", "tab\tname", "line\nname", "del\x7f", "c1\x85", ".m", "...", "bad\udcff"]
    for name in served + never:
        (tmp_path / name / "1").mkdir(parents=True)
    assert Store(tmp_path).models() == sorted(served)


def test_versions_are_numbers_of_64_bits(tmp_path: Path) -> None:
    last = 2**63 - 1
    for name in (str(last), str(last + 1), "9" * 20, "1" * 200, f"{3:040}", "-1", "+1", "1 ", "٣"):
        (tmp_path / "m" / name).mkdir(parents=True)
    assert list(Store(tmp_path).versions("m")) == [3, last]


def test_there_is_no_number_above_the_last(tmp_path: Path) -> None:
    (tmp_path / "m" / str(2**63 - 1)).mkdir(parents=True)
    with pytest.raises(RepositoryError, match="no number above"):
        Store(tmp_path).publish("m", fill)
    assert [p.name for p in (tmp_path / "m").iterdir()] == [str(2**63 - 1)]


def test_a_missing_root_holds_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "nowhere")
    assert store.models() == []
    assert store.versions("m") == {}


@pytest.mark.parametrize("name", ["", ".", "..", "../m", "a/b", ".m", "-m", "m:predict", "m n"])
def test_publish_refuses_what_cannot_be_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(RepositoryError, match="cannot be a model's name"):
        Store(tmp_path / "root").publish(name, fill)
    assert not (tmp_path / "m").exists()


def test_a_failing_export_leaves_nothing(tmp_path: Path) -> None:
    def fail(directory: Path) -> None:
        fill(directory)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        Store(tmp_path).publish("m", fail)
    assert list((tmp_path / "m").iterdir()) == []


def test_publishers_at_once_all_succeed_with_different_numbers(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda _: Store(tmp_path).publish("m", fill), range(16)))
    assert sorted(versions) == list(range(1, 17))
    for directory in Store(tmp_path).versions("m").values():
        verify_manifest(directory)


def test_sweep_spares_the_living_and_the_young_and_takes_the_dead(tmp_path: Path) -> None:
    store = Store(tmp_path)
    seen = []

    def publish_inside(directory: Path) -> None:
        fill(directory)
        os.utime(directory, (0, 0))
        store.sweep("m")
        seen.append(directory.exists())

    store.publish("m", publish_inside)
    assert seen == [True]

    young, dead = tmp_path / "m" / ".incoming-young", tmp_path / "m" / ".incoming-dead"
    young.mkdir()
    dead.mkdir()
    (dead / "half").write_bytes(b"")
    os.utime(dead, (0, 0))
    store.sweep("m")
    assert young.exists()
    assert not dead.exists()


def test_prune_removes_the_oldest_but_spares_what_is_in_use(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for _ in range(5):
        store.publish("m", fill)
    assert store.prune("m", keep=9) == []
    assert store.prune("m", keep=2, spare={1}) == [2, 3]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["1", "4", "5"]


def test_a_killed_publisher_leaves_no_version(tmp_path: Path, repository_root: Path) -> None:
    """Kill at many moments; whatever is visible afterwards must be whole."""
    script = textwrap.dedent(
        """
        import pathlib, sys
        from service.repository.model_store import Store

        def fill(directory):
            for i in range(200):
                (directory / f"file{i}").write_bytes(b"x" * 1000)

        print("start", flush=True)
        while True:
            Store(pathlib.Path(sys.argv[1])).publish("m", fill)
        """
    )
    moments = random.Random(1)
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            cwd=repository_root,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
    for directory in Store(tmp_path).versions("m").values():
        verify_manifest(directory)
