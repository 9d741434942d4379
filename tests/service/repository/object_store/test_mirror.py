"""A mirror of real servers, whose answers are spoiled in every way that is known of them."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from moto.s3.models import s3_backends

from service.repository.errors import RepositoryError
from service.repository.manifest import verify_manifest
from service.repository.model_store import Store
from service.repository.object_store.bucket import Bucket
from service.repository.object_store.mirror import Mirror, Outcome
from service.repository.object_store.mirror_folder import MirrorFolder
from service.repository.object_store.origin import OWN, models_folder
from service.repository.object_store.refreshing import bring_up_to_date
from service.repository.publication_marks import was_published_here
from tests.e2e.conftest import free_port
from tests.object_stores import (
    BROKEN_OFF,
    BUCKET,
    CUT,
    KEYS,
    THROTTLED,
    TRUNCATED,
    WRONG,
    Proxy,
    rclone,
)
from tests.small_file_system import small_file_system
from tests.waiting import eventually


def upload(bucket: Bucket, version: int = 1, content: bytes = b"a" * 1000) -> None:
    """Publish a version of ``m`` as any tool could that copies a folder of models."""
    root = Path(os.environ["XDG_CACHE_HOME"]) / "made"
    shutil.rmtree(root, ignore_errors=True)

    def fill(folder: Path) -> None:
        (folder / "saved_model.pb").write_bytes(content)
        (folder / "variables").mkdir()
        (folder / "variables" / "ü b+%.data").write_bytes(content[::-1])

    made = root / "m" / str(Store(root).publish("m", fill))
    for path in sorted(made.rglob("*"), key=lambda path: path.name == "manifest.json"):
        if path.is_file():
            bucket.write(f"m/{version}/{path.relative_to(made)}", path)


def mirror(bucket: Bucket, root: Path, clock: list[float] | None = None) -> Mirror:
    clock = clock or [0.0]
    return Mirror(bucket, MirrorFolder(root, bucket.url), clock=lambda: clock[0])


def whole(root: Path) -> list[int]:
    """Return the versions of ``m`` in a folder, all of which must be whole."""
    versions = Store(root).versions("m")
    for folder in versions.values():
        verify_manifest(folder)
    return list(versions)


def follow(mirror: Mirror, looks: int = 6) -> Outcome:
    """Look until all is there."""
    for _ in range(looks):
        outcome = mirror.synchronise()
        if outcome.is_in_step:
            return outcome
    raise AssertionError(outcome)


def test_versions_and_policy_come_and_are_asked_for_once(
    bucket: Bucket, spoiled: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    upload(bucket)
    bucket.write("m/policy.json", b'{"keep": 3}')
    followed = mirror(spoiled, tmp_path)
    assert followed.synchronise().is_in_step
    assert whole(tmp_path) == [1]
    assert Store(tmp_path).policy("m").keep == 3
    asked = len(proxy.asked)
    assert followed.synchronise().events == []
    assert len(proxy.asked) == asked + 1
    assert not was_published_here(tmp_path / "m" / "1")


@pytest.mark.parametrize("how", [THROTTLED, CUT, BROKEN_OFF, TRUNCATED, WRONG])
def test_a_spoiled_answer_holds_up_but_spoils_nothing(
    how: str, bucket: Bucket, spoiled: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    upload(bucket, 1)
    clock = [0.0]
    followed = mirror(spoiled, tmp_path, clock)
    follow(followed)
    upload(bucket, 2)
    upload(bucket, 3)
    proxy.spoil = lambda method, path: how if "/m/3/variables/" in path else None
    outcome = followed.synchronise()
    assert outcome.problems
    assert not outcome.is_in_step
    # The other version has come all the same, and nothing of the spoiled one is seen.
    assert whole(tmp_path) == [1, 2]
    proxy.spoil = lambda method, path: None
    clock[0] += 60
    follow(followed)
    assert whole(tmp_path) == [1, 2, 3]


def test_a_listing_that_fails_takes_nothing_away(
    bucket: Bucket, spoiled: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    upload(bucket)
    clock = [0.0]
    followed = mirror(spoiled, tmp_path, clock)
    follow(followed)
    for how in (THROTTLED, CUT):
        proxy.spoil = lambda method, path, how=how: how
        clock[0] += 3600
        outcome = followed.synchronise()
        assert outcome.store_failed
        assert whole(tmp_path) == [1]
    proxy.spoil = lambda method, path: None
    assert followed.synchronise().is_in_step


def test_a_version_that_is_changed_while_it_is_fetched_comes_as_it_is_then(
    bucket: Bucket, spoiled: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    upload(bucket)

    def change(method: str, path: str) -> None:
        if "saved_model.pb" in path:
            proxy.spoil = lambda method, path: None
            upload(bucket, content=b"b" * 1000)

    proxy.spoil = change
    followed = mirror(spoiled, tmp_path)
    outcome = followed.synchronise()
    assert "m 1 is not fetched" in outcome.problems[0]
    assert whole(tmp_path) == []
    follow(followed)
    assert (tmp_path / "m" / "1" / "saved_model.pb").read_bytes() == b"b" * 1000
    # In its place, when all of it is there again.
    upload(bucket, content=b"c" * 1000)
    follow(followed)
    assert (tmp_path / "m" / "1" / "saved_model.pb").read_bytes() == b"c" * 1000
    assert whole(tmp_path) == [1]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("long" * 64, "cannot be a file: File name too long."),
        ("d/" * 40, "deeper than 32 folders."),
    ],
)
def test_a_name_that_no_file_can_have_holds_up_its_version_alone(
    name: str, why: str, bucket: Bucket, tmp_path: Path
) -> None:
    upload(bucket)
    # By the order of names all of them come before it.
    bucket.write("a/1/saved_model.pb", b"graph")
    bucket.write(f"a/1/{name}file", b"")
    bucket.write(f"{'long' * 64}/1/saved_model.pb", b"graph")
    bucket.write(f"{'long' * 64}/policy.json", b"{}")
    followed = mirror(bucket, tmp_path)
    followed.synchronise()
    outcome = followed.synchronise()
    assert not outcome.store_failed
    (problem,) = outcome.problems
    assert problem.startswith("a 1 is not fetched: ")
    assert problem.endswith(why)
    assert whole(tmp_path) == [1]


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_policy_that_cannot_be_read_brings_no_more_versions_than_the_last(
    is_restarted: bool, bucket: Bucket, tmp_path: Path
) -> None:
    for version in (1, 2, 3):
        upload(bucket, version)
    bucket.write("m/policy.json", b'{"keep": 1}')
    followed = mirror(bucket, tmp_path)
    follow(followed)
    assert whole(tmp_path) == [3]
    bucket.write("m/policy.json", b'{"keep": 1')
    follow(followed)
    if is_restarted:
        followed = mirror(bucket, tmp_path)
    follow(followed)
    assert whole(tmp_path) == [3]
    bucket.write("m/policy.json", b'{"keep": 2}')
    follow(followed)
    assert whole(tmp_path) == [2, 3]


@pytest.mark.parametrize("has_manifest", [True, False])
@pytest.mark.parametrize("shows", [True, False])
def test_what_the_disk_has_no_room_for_holds_up_nothing_else(
    shows: bool,
    has_manifest: bool,
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whether the disk shows before that it has none, or, as with a quota, not."""
    if not shows:
        room = shutil.disk_usage("/")._replace(free=2**40)
        monkeypatch.setattr("shutil.disk_usage", lambda _: room)
    with small_file_system(tmp_path / "small", "2m") as root:
        clock = [0.0]
        followed = mirror(bucket, root, clock)
        upload(bucket, 1, bytes(2**19))
        follow(followed)
        upload(bucket, 3, bytes(2**19 + 2**18))
        if not has_manifest:
            bucket.remove(["m/3/manifest.json"])
            followed.synchronise()
        upload(bucket, 2)
        bucket.write("m/policy.json", b'{"keep": 9}')
        problems = [followed.synchronise().problems for _ in range(2)]
        assert whole(root) == [1, 2]
        assert Store(root).policy("m").keep == 9
        assert "m 3 cannot be written: " in problems[0][0]
        told = "The disk has no room for its " if shows else os.strerror(errno.ENOSPC)
        assert told in problems[0][0]
        assert problems[0] == problems[1], "It would be logged with each look."
        # What is gone makes room, which nothing that has come in part holds.
        bucket.remove([name for name in bucket.objects() if name.startswith("m/1/")])
        followed.synchronise()
        clock[0] += 601
        assert "m 1 is gone from the store, and removed." in followed.synchronise().events
        follow(followed)
        assert list(Store(root).versions("m")) == [2, 3]


def test_a_publisher_ends_where_the_disk_has_no_room(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(bucket)
    room = shutil.disk_usage("/")._replace(free=100)
    monkeypatch.setattr("shutil.disk_usage", lambda _: room)
    with pytest.raises(OSError, match="The disk has no room for its "):
        bring_up_to_date(models_folder(bucket.url), "m")


def test_an_object_of_a_folders_name_is_no_file(bucket: Bucket, tmp_path: Path) -> None:
    for name in ("saved_model.pb", "variables", "variables/", "variables/variables.index"):
        bucket.write(f"m/1/{name}", b"")
    follow(mirror(bucket, tmp_path))
    assert (tmp_path / "m" / "1" / "variables" / "variables.index").is_file()


def test_a_half_uploaded_version_waits(bucket: Bucket, tmp_path: Path) -> None:
    upload(bucket)
    lost = bucket.read("m/1/saved_model.pb", most_bytes=2000)
    assert lost is not None
    bucket.remove(["m/1/saved_model.pb"])
    followed = mirror(bucket, tmp_path)
    assert "saved_model.pb is not there" in followed.synchronise().problems[0]
    assert followed.synchronise().problems == []
    assert whole(tmp_path) == []
    bucket.write("m/1/saved_model.pb", lost[0])
    assert follow(followed).events == ["m 1 has come."]


def test_without_its_records_a_mirror_fetches_nothing_anew(bucket: Bucket, tmp_path: Path) -> None:
    upload(bucket)
    follow(mirror(bucket, tmp_path))
    (tmp_path / OWN / "looks.json").unlink()
    before = bucket.received
    follow(mirror(bucket, tmp_path))
    assert bucket.received - before < 1000
    assert whole(tmp_path) == [1]


def test_killed_in_the_middle_it_goes_on_where_it_was(
    bucket: Bucket, spoiled: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    upload(bucket, content=b"abc" * 2**20)
    killed = threading.Event()
    reached = threading.Event()

    def break_off(method: str, path: str) -> str | None:
        if "saved_model.pb" in path:
            return BROKEN_OFF
        if reached.is_set() or "list-type" not in path:
            return None
        if any("saved_model.pb" in path for _, path, _ in proxy.asked):
            reached.set()
            killed.wait()
        return None

    proxy.spoil = break_off
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "service.mirroring.mirror_process"),
            *(spoiled.url, str(tmp_path / "to"), "0.1"),
        ],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **KEYS, "AWS_ENDPOINT_URL": proxy.url},
    )
    assert reached.wait(60)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    killed.set()
    assert whole(tmp_path / "to") == []
    proxy.spoil = lambda method, path: None
    proxy.asked.clear()
    follow(mirror(spoiled, tmp_path / "to"))
    assert whole(tmp_path / "to") == [1]
    ranges = [range_ for _, path, range_ in proxy.asked if "saved_model.pb" in path]
    assert [range_.startswith("bytes=") for range_ in ranges] == [True]


def test_a_folder_mirrors_one_store(bucket: Bucket, tmp_path: Path) -> None:
    MirrorFolder(tmp_path, bucket.url)
    with pytest.raises(Exception, match="give s3://other/x a folder of its own"):
        MirrorFolder(tmp_path, "s3://other/x")


def test_a_folder_of_models_becomes_no_mirror(bucket: Bucket, tmp_path: Path) -> None:
    upload(bucket)
    root = tmp_path / "own"
    Store(root).publish("m", lambda path: (path / "saved_model.pb").write_text("own") and None)
    with pytest.raises(RepositoryError, match="own has models of its own, such as m, which a mirr"):
        mirror(bucket, root)
    assert (root / "m" / "1" / "saved_model.pb").read_text() == "own"
    assert not (root / OWN).exists()


def test_a_look_at_a_hundred_models_takes_four_requests(
    spoiled: Bucket, proxy: Proxy, tmp_path: Path
) -> None:
    """Of three versions with eleven files each; docs/guides/object-store.md says what that costs."""
    backend = s3_backends["123456789012"]["aws"]
    prefix = spoiled.url.removeprefix(f"s3://{BUCKET}/")
    for model in range(100):
        for version in range(1, 4):
            for file in range(11):
                backend.put_object(BUCKET, f"{prefix}/m{model}/{version}/file-{file}", b"x")
    assert len(spoiled.objects()) == 3300
    assert (proxy.lists(), spoiled.requests["list"]) == (4, 4)


@pytest.mark.parametrize("kind", ["s3", "webdav"])
def test_it_mirrors_what_rclone_serves(
    kind: str, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "served" / BUCKET
    port = free_port()
    options = ["--auth-key", "someone,something"] if kind == "s3" else []
    made = Store(folder)
    made.publish("m", lambda path: (path / "saved_model.pb").write_text("1") and None)
    (folder / "m" / "policy.json").write_text('{"keep": 3}')
    with rclone(kind, folder.parent, port, *options) as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served)
        url = f"s3://{BUCKET}" if kind == "s3" else f"{served}/{BUCKET}"
        followed = mirror(Bucket(url), tmp_path / "to")
        follow(followed)
        made.publish("m", lambda path: (path / "saved_model.pb").write_text("2") and None)
        eventually(lambda: followed.synchronise().events == ["m 2 has come."])
        assert followed.synchronise().events == []
    assert whole(tmp_path / "to") == [1, 2]
    assert Store(tmp_path / "to").policy("m").keep == 3
