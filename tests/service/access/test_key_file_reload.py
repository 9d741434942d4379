"""Which keys are in force while their file changes, breaks and is opened to others."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.access import key_file_reload, rate_limit
from service.access.idle_key_check import IdleKeyCheck
from service.access.key_file import ApiKey, read_keys
from service.access.key_file_reload import KeysInForce
from service.access.rate_limit import TokenBucket
from tests.service.access.keys import add_key, remove_key
from tests.waiting import eventually


class Following:
    """A worker's keys, and what it said of their file; it looks at the file at each question."""

    def __init__(
        self, path: Path, shared: Path | None = None, poll_interval_s: float = 0.0
    ) -> None:
        self.problems: list[bool] = []
        self.keys = KeysInForce(
            path,
            workers=2,
            poll_interval_s=poll_interval_s,
            shared_folder=shared,
            on_problem=self.problems.append,
        )

    @property
    def names(self) -> list[str]:
        return sorted(key.key.name for key in self.keys.current().values())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.LogCaptureFixture]:
    logger = logging.getLogger("understudy")
    monkeypatch.setattr(logger, "propagate", False)
    caplog.set_level(logging.INFO, "understudy")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_a_change_is_followed(path: Path) -> None:
    add_key(path, "one")
    worker = Following(path)
    assert worker.names == ["one"]
    add_key(path, "two")
    assert worker.names == ["one", "two"]
    remove_key(path, "one")
    assert worker.names == ["two"]
    assert worker.problems == [False] * 3


def test_the_last_good_file_stays_in_force_and_that_is_said_once(
    path: Path, said: pytest.LogCaptureFixture
) -> None:
    add_key(path, "one")
    worker = Following(path)
    good = path.read_bytes()

    def breaks(message: str) -> None:
        said.clear()
        assert [worker.names for _ in range(3)] == [["one"]] * 3
        (line,) = said.messages
        assert message in line
        assert "The last good file of keys stays in force." in line
        assert worker.keys.problem

    path.write_text('{"keys": [')
    breaks("is not JSON")
    path.write_bytes(good)
    path.chmod(0o644)
    breaks("is too open (mode 0644)")
    path.unlink()
    breaks("cannot be read: No such file")
    said.clear()
    add_key(path, "two")
    assert worker.names == ["two"]
    assert said.messages == ["keys.json can be used again, and is in force."]
    assert worker.problems == [False, True, True, True, False]


def test_a_worker_that_nobody_asks_sees_that_a_file_was_put_right(path: Path) -> None:
    add_key(path, "one")
    good = path.read_bytes()
    worker = Following(path)
    path.write_text("broken")
    worker.keys.reload_if_changed()
    path.write_bytes(good)
    watch = IdleKeyCheck(worker.keys.reload_if_changed, 0.0)
    watch.start()
    eventually(lambda: worker.problems == [False, True, False])
    path.write_text("broken")
    eventually(lambda: worker.problems == [False, True, False, True])
    watch.stop()


def test_a_look_without_a_request_postpones_none_of_those_with_one(path: Path) -> None:
    add_key(path, "one")
    worker = Following(path, poll_interval_s=0.1)
    time.sleep(0.3)
    worker.keys.reload_if_changed()
    remove_key(path, "one")
    assert worker.names == []


def test_an_empty_file_of_keys_lets_nobody_in(path: Path) -> None:
    add_key(path, "one")
    worker = Following(path)
    remove_key(path, "one")
    assert worker.names == []
    assert worker.problems == [False, False]


def test_a_worker_that_starts_later_takes_the_last_good_file_from_the_others(
    path: Path, tmp_path: Path, said: pytest.LogCaptureFixture
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    add_key(path, "one")
    assert Following(path, shared).names == ["one"]
    assert (shared / "keys.json").stat().st_mode & 0o077 == 0
    path.write_text("broken")
    later = Following(path, shared)
    assert later.names == ["one"]
    assert later.problems == [True]
    assert "There is no good" not in said.text


def test_workers_that_start_later_take_what_was_found_right_though_the_file_broke_meanwhile(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    add_key(path, "one")

    def read(file: Path) -> dict[bytes, ApiKey]:
        found = read_keys(file)
        if file == path:
            file.write_text("broken")
        return found

    monkeypatch.setattr(key_file_reload, "read_keys", read)
    assert Following(path, shared).names == ["one"]
    monkeypatch.undo()
    assert Following(path, shared).names == ["one"]


@pytest.mark.parametrize("text", ["null", "7", "true"])
def test_a_file_without_an_object_changes_nothing_and_is_a_problem(path: Path, text: str) -> None:
    add_key(path, "one")
    worker = Following(path)
    path.write_text(text)
    assert worker.names == ["one"]
    assert worker.problems == [False, True]


def test_nobody_waits_while_a_file_is_read_that_has_changed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But after a rest the first who asks does, and is checked by the file as it is."""
    add_key(path, "one")
    now = 0.0
    monkeypatch.setattr(key_file_reload, "monotonic", lambda: now)
    keys = KeysInForce(
        path, workers=1, poll_interval_s=10, shared_folder=None, on_problem=lambda _: None
    )
    may_go_on = threading.Event()

    def slow(file: Path) -> dict[bytes, ApiKey]:
        assert may_go_on.wait(60)
        return read_keys(file)

    def names() -> list[str]:
        return [key.key.name for key in keys.current().values()]

    monkeypatch.setattr(key_file_reload, "read_keys", slow)
    add_key(path, "two")
    assert names() == ["one"]
    now = 11.0
    # Due, and soon after the last look: these return although the file is still being read.
    assert [names() for _ in range(5)] == [["one"]] * 5
    may_go_on.set()
    eventually(lambda: names() == ["one", "two"])
    remove_key(path, "one")
    now = 100.0
    assert names() == ["two"]


def test_who_is_in_force_is_told(path: Path) -> None:
    add_key(path, "one")
    told: list[set[str]] = []
    keys = KeysInForce(
        path,
        workers=1,
        poll_interval_s=0.0,
        shared_folder=None,
        on_problem=lambda _: None,
        on_change=told.append,
    )
    add_key(path, "two")
    keys.current()
    path.write_text("{")
    keys.current()
    assert told == [{"one"}, {"one", "two"}]


def test_without_a_good_file_nobody_is_let_in(path: Path, said: pytest.LogCaptureFixture) -> None:
    worker = Following(path)
    assert worker.names == []
    assert "There is no good keys.json yet: no key is known." in said.text
    add_key(path, "one")
    assert worker.names == ["one"]


def test_a_key_that_stays_the_same_keeps_what_it_has_used(path: Path) -> None:
    add_key(path, "one", requests_per_s=2.0)
    worker = Following(path)
    (before,) = worker.keys.current().values()
    add_key(path, "two")
    assert before in worker.keys.current().values()


def test_a_bucket_lets_its_rate_through(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(rate_limit, "monotonic", lambda: now[0])
    bucket = TokenBucket(2.0, 3.0)
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 0.5]
    now[0] += 0.25
    assert bucket.take() == 0.25
    now[0] += 0.25
    assert [bucket.take() for _ in range(2)] == [0, 0.5]
    now[0] += 1000
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 0.5]
    # However small a share is, one gets through.
    assert TokenBucket(0.01, 0.01).take() == 0


def test_each_worker_lets_its_share_through(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "monotonic", lambda: 100.0)
    add_key(path, "one", requests_per_s=10.0, burst=8)
    (key,) = Following(path).keys.current().values()
    assert key.bucket
    assert [key.bucket.take() for _ in range(5)] == [0, 0, 0, 0, pytest.approx(0.2)]
