"""The store's file: whose it is, how it is named, and what may befall it."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.events.errors import StoreError
from service.events.event_store_location import open_database
from service.events.sqlite_database import SqliteDatabase
from tests.service.events.stores import record, store_in


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    store = store_in(tmp_path / "events.db")
    store.add([record("a")])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes.keys() == {"events.db", "events.db-wal", "events.db-shm"}
    assert set(modes.values()) == {0o600}


def test_a_file_that_is_removed_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    store = store_in(path)
    store.add([record("a")])
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(StoreError):
        store.add([record("b")])
    store.add([record("c")])
    assert store.counts() == {"m": 1}


def test_threads_one_after_the_other_open_the_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, opened = sqlite3.connect, []

    def counted(*args: Any, **options: Any) -> sqlite3.Connection:
        opened.append(args)
        return connect(*args, **options)

    monkeypatch.setattr(sqlite3, "connect", counted)
    store = store_in(tmp_path / "events.db")
    for number in range(5):
        thread = threading.Thread(target=store.add, args=([record(str(number))],))
        thread.start()
        thread.join()
    assert store.counts() == {"m": 5}
    assert len(opened) == 1
    store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["events.db"]
    assert store.counts() == {"m": 5}
    assert len(opened) == 2


def test_a_store_is_closed_with_its_last_user(tmp_path: Path) -> None:
    store = store_in(tmp_path / "events.db")
    store.add([record("a")])
    assert len([*tmp_path.iterdir()]) == 3
    del store
    assert [path.name for path in tmp_path.iterdir()] == ["events.db"]


# Stores a request in the file that it is told, and holds its connection until its input ends.
_IDLE = """
import sys
from pathlib import Path
from tests.service.events.stores import record, store_in
store = store_in(Path(sys.argv[1]))
store.add([record("idle")])
print("stored", flush=True)
sys.stdin.read()
store.add([record("woken")])
"""


def test_a_backup_that_is_put_back_meanwhile_is_used_as_it_is(tmp_path: Path) -> None:
    """By each of the workers; what is in the old file's log would be written over it."""
    path, backup = tmp_path / "events.db", tmp_path / "backup.db"
    workers = [store_in(path) for _ in range(2)]
    for number, worker in enumerate(workers):
        worker.add([record(f"before-{number}", inputs=f'"{"x" * 5_000}"')])
    with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(backup)) as copy:
        live.backup(copy)
        for part in range(2):
            for number in range(100):
                workers[part].add([record(f"lost-{part}-{number}", inputs=f'"{"y" * 3_000}"')])
            if part == 0:
                live.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    backup.rename(path)
    for _ in range(2):
        for number, worker in enumerate(workers):
            worker.add([record(f"after-{number}")])
    assert [worker.counts() for worker in workers] == [{"m": 4}] * 2
    for worker in workers:
        worker.close()
    with closing(sqlite3.connect(path)) as restored:
        assert restored.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        ids = restored.execute("SELECT request_id FROM understudy_events ORDER BY 1").fetchall()
    assert ids == [("after-0",), ("after-1",), ("before-0",), ("before-1",)]


@pytest.mark.parametrize("way", ["removed", "moved"])
def test_a_file_that_goes_without_its_log_is_made_again(
    tmp_path: Path, way: str, repository_root: Path
) -> None:
    """While another worker, which has nothing to store, holds the one that is gone."""
    path = tmp_path / "events.db"
    store = store_in(path)
    store.add([record("before")])
    with subprocess.Popen(
        [sys.executable, "-c", _IDLE, str(path)],
        cwd=repository_root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as idle:
        assert idle.stdin is not None
        assert idle.stdout is not None
        assert idle.stdout.readline() == "stored\n"
        if way == "removed":
            path.unlink()
        else:
            path.rename(tmp_path / "old.db")
        with pytest.raises(StoreError):
            # Its tables are gone.
            store.add([record("at that moment")])
        store.add([record("after")])
        idle.stdin.close()
    store.add([record("last")])
    found = {event.request_id for event, _ in store_in(path).events("m")}
    # The other one has not known that its tables are gone, or has found new ones.
    assert {"after", "last"} <= found <= {"after", "last", "woken"}


def test_deleted_requests_give_room_back(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    store = store_in(path)
    for part in range(20):
        store.add([record(f"{part}-{n}", inputs=f'"{"x" * 10_000}"') for n in range(20)])
    store.expire(most_age_s=1000, most_bytes=0)
    with closing(sqlite3.connect(path)) as reader:
        (pages,) = reader.execute("PRAGMA page_count").fetchone()
        reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert pages < 100
    assert path.stat().st_size < 500_000


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    store_in(other).make()
    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.execute("UPDATE understudy_store SET format = 4")
    text = tmp_path / "text"
    text.write_text("This is a text, and longer than a page's head has bytes." * 3)
    for path, reason in (
        (tmp_path / "none" / "events.db", "cannot be opened: No such file or directory."),
        (tmp_path, "cannot be opened: Is a directory."),
        (text, "cannot be used: file is not a database."),
        (
            other,
            "has tables of format 4, not 3: it belongs to a later version of this software. "
            "Use that version, or another store.",
        ),
    ):
        with pytest.raises(StoreError) as failed:
            store_in(path).make()
        assert str(failed.value) == f"{path} {reason}"


def test_a_locked_file_is_waited_for_and_then_said(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    store = store_in(path, busy_s=0.01)
    store.make()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="database is locked"):
        store.add([record("a")])
    holder.execute("ROLLBACK")
    holder.close()
    store.add([record("a")])


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("sqlite://", "in the memory of one process"),
        ("sqlite:///:memory:", "in the memory of one process"),
        ("mysql://me@host/db", "not one of 'mysql'"),
        ("postgresql+nodriver://me:secret@host/db", "cannot be used"),
    ],
)
def test_what_names_no_store(location: str, reason: str) -> None:
    with pytest.raises(StoreError, match=reason) as failed:
        open_database(location)
    assert "secret" not in str(failed.value)


def test_a_file_is_named_by_path_or_url(tmp_path: Path) -> None:
    for location in (str(tmp_path / "a.db"), f"sqlite:///{tmp_path / 'a.db'}"):
        database = open_database(location)
        assert isinstance(database, SqliteDatabase)
        assert database.shown == os.fspath(tmp_path / "a.db")


READ = """
import sqlite3, sys
reader = sqlite3.connect(sys.argv[1])
print(reader.execute("SELECT COUNT(*) FROM understudy_events").fetchone()[0])
reader.close()
"""


def test_another_process_that_reads_takes_nothing_away(tmp_path: Path) -> None:
    """The last connection to be closed removes the log: it must know of all others."""
    path = tmp_path / "events.db"
    store = store_in(path)

    def stored_for_others() -> int:
        command = [sys.executable, "-c", READ, str(path)]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    store.add([record("a")])
    has_connected, may_end = threading.Event(), threading.Event()

    def second_thread() -> None:
        store.find("m", "a")
        has_connected.set()
        may_end.wait()

    thread = threading.Thread(target=second_thread)
    thread.start()
    has_connected.wait()
    try:
        assert stored_for_others() == 1
        store.add([record("b")])
        assert stored_for_others() == 2
    finally:
        may_end.set()
        thread.join()
