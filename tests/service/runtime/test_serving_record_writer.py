"""A worker tells the store what it serves, and what it has refused."""

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.repository.model_policy import Policy, write_policy
from service.repository.model_store import Store
from service.repository.serving_records import FOLDER, Record, read_records, version_digest
from service.repository.serving_status import reality
from service.runtime import serving_record_writer
from service.runtime.version_state import State
from tests.lifecycles import Start, starting
from tests.savedmodels.affine import publish_affine, publish_broken_affine
from tests.savedmodels.reaching import read_file, save_reaching
from tests.waiting import eventually


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with starting(tmp_path) as start:
        yield start


def only(root: Path) -> Record:
    (record,) = read_records(root)
    return record


def test_what_serves_and_what_is_refused_is_told(tmp_path: Path, start: Start) -> None:
    publish_affine(tmp_path)
    publish_broken_affine(tmp_path)
    write_policy(tmp_path / "affine", Policy(labels={"stable": 1, "gone": 9}))
    start()
    store = Store(tmp_path)
    eventually(lambda: set(reality(store, "affine").serving) == {1})
    real = reality(store, "affine")
    assert real.is_known
    assert real.serving == {1: version_digest(tmp_path / "affine" / "1")}
    assert real.refused == {2: "fingerprint.pb is in the manifest but not on disk."}
    assert only(tmp_path).models["affine"].labels == {"stable": 1}

    publish_affine(tmp_path, bias=1.0)
    eventually(lambda: set(reality(store, "affine").serving) == {3})
    shutil.rmtree(tmp_path / "affine" / "2")
    eventually(lambda: not only(tmp_path).models["affine"].refused)


def test_who_stops_says_so(tmp_path: Path, start: Start) -> None:
    publish_affine(tmp_path)
    publish_broken_affine(tmp_path)
    lifecycle = start()
    eventually(lambda: reality(Store(tmp_path), "affine").refused != {})
    lifecycle.stop()
    assert not only(tmp_path).alive
    real = reality(Store(tmp_path), "affine")
    assert (real.is_known, real.serving, list(real.refused)) == (False, {}, [2])


def test_a_heartbeat_is_shown_and_a_record_that_was_removed_comes_back(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_record_writer, "HEARTBEAT_S", 0.05)
    publish_affine(tmp_path)
    start()
    eventually(lambda: bool(reality(Store(tmp_path), "affine").serving))
    path = only(tmp_path).path
    os.utime(path, (1, 1))
    eventually(lambda: only(tmp_path).alive)
    assert path.stat().st_mtime > 1
    shutil.rmtree(tmp_path / FOLDER)
    eventually(lambda: bool(read_records(tmp_path)) and only(tmp_path).alive)


def test_who_is_gone_is_forgotten_when_its_successor_knows_as_much(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving_record_writer, "HEARTBEAT_S", 0.05)
    publish_affine(tmp_path)
    publish_broken_affine(tmp_path)
    first = start()
    eventually(lambda: reality(Store(tmp_path), "affine").refused != {})
    first.stop()
    # The successor is not asked to try version 2, so the record of its refusal must stay.
    write_policy(tmp_path / "affine", Policy(versions=(1,)))
    start()
    eventually(lambda: reality(Store(tmp_path), "affine").is_known)
    serving = only_alive(tmp_path)
    beat = serving.path.stat().st_mtime_ns
    eventually(lambda: serving.path.stat().st_mtime_ns > beat)
    assert list(reality(Store(tmp_path), "affine").refused) == [2]
    write_policy(tmp_path / "affine", Policy())
    eventually(lambda: [record.alive for record in read_records(tmp_path)] == [True])
    assert list(reality(Store(tmp_path), "affine").refused) == [2]


def only_alive(root: Path) -> Record:
    (record,) = (record for record in read_records(root) if record.alive)
    return record


def test_a_store_that_cannot_be_written_hurts_nobody_and_is_said_once(
    tmp_path: Path,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(serving_record_writer, "HEARTBEAT_S", 0.01)
    tries = []

    def refuse(*_: object) -> None:
        tries.append(1)
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(serving_record_writer, "write_record", refuse)
    publish_affine(tmp_path)
    with caplog.at_level(logging.WARNING, logger="understudy"):
        lifecycle = start()
        eventually(lambda: lifecycle.serves("affine"))
        eventually(lambda: len(tries) > 2)
    warnings = [
        r
        for r in caplog.records
        if r.message.startswith("The record of what serves cannot be written")
    ]
    assert len(warnings) == 1
    assert warnings[0].fields["reason"] == "Read-only file system"  # type: ignore[attr-defined]
    assert lifecycle.ready
    assert not reality(Store(tmp_path), "affine").is_known


def test_a_mount_that_is_read_only_hurts_nobody(tmp_path: Path, start: Start) -> None:
    publish_affine(tmp_path)
    mount = ["mount", "--bind", str(tmp_path), str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        remount = ["mount", "-o", "remount,bind,ro", str(tmp_path)]
        if subprocess.run(remount, capture_output=True, check=False).returncode:
            pytest.skip("this user may not mount a file system")
        lifecycle = start()
        eventually(lambda: lifecycle.serves("affine"))
        lifecycle.stop()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert not (tmp_path / FOLDER).exists()


def test_a_store_without_models_is_left_alone(tmp_path: Path, start: Start) -> None:
    lifecycle = start()
    lifecycle.stop()
    assert list(tmp_path.iterdir()) == []


def test_what_the_policy_allows_is_tried_again_at_once(tmp_path: Path, start: Start) -> None:
    save_reaching(tmp_path / "reader" / "1", read_file)
    lifecycle = start()
    eventually(lambda: bool(lifecycle.status("reader")))
    eventually(lambda: lifecycle.status("reader")[0].state is State.FAILED)
    assert lifecycle.status("reader")[0].reason.startswith("It runs ReadFile (node ")
    write_policy(tmp_path / "reader", Policy(allow_operations=("ReadFile",)))
    eventually(lambda: lifecycle.serves("reader"))
