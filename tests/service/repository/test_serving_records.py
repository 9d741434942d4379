"""What workers tell of what serves, and what a reader makes of it."""

import os
import time
from pathlib import Path

import pytest

from service.repository.model_policy import Policy
from service.repository.model_store import Store
from service.repository.serving_records import (
    EXPIRY_S,
    FOLDER,
    ModelRecord,
    Refused,
    read_records,
    version_digest,
    write_record,
)
from service.repository.serving_status import Reality, reality
from tests.stores import store_of_three


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of_three(tmp_path / "models")


def tell(
    store: Store,
    worker: str,
    serving: dict[int, str],
    refused: dict[int, Refused] | None = None,
    *,
    ended: bool = False,
    age_s: float = 0.0,
) -> Path:
    path = store.root / FOLDER / f"{worker}.json"
    record = ModelRecord(serving, {"stable": 1}, refused or {})
    about = {"host": worker, "process": 1, **({"ended_at": "now"} if ended else {})}
    write_record(path, {"m": record}, about)
    if age_s:
        os.utime(path, times=(time.time() - age_s,) * 2)
    return path


def refusal(store: Store, version: int) -> dict[int, Refused]:
    digest = version_digest(store.versions("m")[version])
    return {version: Refused(digest, "It is bad.", "2026-11-28T00:00:00+00:00")}


def test_what_is_written_is_read(store: Store) -> None:
    path = tell(store, "a", {2: "d"}, refusal(store, 3))
    (record,) = read_records(store.root)
    assert record.path == path
    assert record.alive
    assert record.models == {"m": ModelRecord({2: "d"}, {"stable": 1}, refusal(store, 3))}
    assert reality(store, "m") == Reality(True, {2: "d"}, {3: "It is bad."})
    assert reality(store, "other") == Reality(False, {}, {})
    assert os.listdir(store.root / FOLDER) == ["a.json"]


def test_several_workers_serve_what_any_of_them_serves(store: Store) -> None:
    tell(store, "a", {2: "d"}, refusal(store, 3))
    tell(store, "b", {3: "e"})
    # Refused by one and serving by another, it serves.
    assert reality(store, "m") == Reality(True, {2: "d", 3: "e"}, {})


@pytest.mark.parametrize("gone", [{"ended": True}, {"age_s": EXPIRY_S + 5}])
def test_who_is_gone_serves_nothing_but_what_it_refused_stays_bad(
    store: Store, gone: dict[str, float]
) -> None:
    tell(store, "a", {2: "d"}, refusal(store, 3), **gone)  # type: ignore[arg-type]
    real = reality(store, "m")
    assert real == Reality(False, {}, {3: "It is bad."})
    assert real.expected(Policy(), store.versions("m")) == [2]
    # Until its files change: then the service will try it again.
    (store.root / "m" / "3" / "data").write_text("mended")
    assert reality(store, "m").refused == {}
    assert reality(store, "m").expected(Policy(), store.versions("m")) == [3]


def test_a_heartbeat_that_is_a_little_old_is_believed(store: Store) -> None:
    tell(store, "a", {2: "d"}, age_s=EXPIRY_S / 2)
    assert reality(store, "m").is_known


def test_versions_whose_folders_are_gone_are_not_expected(store: Store) -> None:
    tell(store, "a", {9: "d"})
    assert reality(store, "m").expected(Policy(), store.versions("m")) == [3]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"format": 2, "models": {}}',
        '{"format": 1, "models": {"m": 1}}',
        '{"format": 1, "models": {"m": {"versions": {"x": ""}, "labels": {}, "refused": {}}}}',
    ],
)
def test_what_is_no_record_is_left_out(store: Store, text: str) -> None:
    (store.root / FOLDER).mkdir()
    (store.root / FOLDER / "a.json").write_text(text)
    tell(store, "b", {2: "d"})
    assert [record.path.name for record in read_records(store.root)] == ["b.json"]


def test_the_folder_is_no_model(store: Store) -> None:
    tell(store, "a", {2: "d"})
    assert store.models() == ["m"]


def test_a_digest_tells_of_every_change(store: Store) -> None:
    folder = store.versions("m")[1]
    before = version_digest(folder)
    assert version_digest(folder) == before
    os.utime(folder / "data", ns=(1, 1))
    after = version_digest(folder)
    assert after != before
    (folder / "more").write_text("")
    assert version_digest(folder) not in (before, after)


def test_a_digest_waits_for_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "manifest.json")
    digest = version_digest(tmp_path)
    assert digest == version_digest(tmp_path)
    (tmp_path / "manifest.json").unlink()
    assert digest != version_digest(tmp_path)


@pytest.mark.parametrize("ahead_s", [3600.0, 365 * 86_400.0])
def test_who_died_while_the_clock_was_ahead_is_not_believed_until_then(
    store: Store, ahead_s: float
) -> None:
    tell(store, "a", {2: "d"}, age_s=-ahead_s)
    assert not reality(store, "m").is_known
    # Who lives beats again soon.
    tell(store, "b", {3: "e"}, age_s=-EXPIRY_S / 2)
    assert reality(store, "m").serving == {3: "e"}
