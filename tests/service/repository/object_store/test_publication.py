"""Publishing into an object store, and changing policies there, from a folder that mirrors it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from service.repository.errors import RepositoryError
from service.repository.model_policy import Policy, policy_from_json, read_policy, rolled_back
from service.repository.model_store import Store
from service.repository.object_store import publication
from service.repository.object_store.bucket import Bucket
from service.repository.object_store.origin import models_folder, place_of
from service.repository.object_store.refreshing import current_store
from service.repository.policy_changes import change_policy
from service.repository.publication_marks import was_published_here
from tests.e2e.conftest import free_port
from tests.object_stores import BUCKET, CUT, Proxy, rclone


def publish(store: Store, content: str) -> int:
    return store.publish("m", lambda folder: (folder / "data").write_text(content) and None)


def elsewhere(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """Return the models at a URL as they are seen on another machine."""
    with monkeypatch.context() as there:
        there.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
        return current_store(models_folder(url))


def test_a_publication_ends_well_though_listings_show_it_later(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a store whose listings lag behind, with a version that some tool has copied there."""
    made = Store(tmp_path)
    publish(made, "new")
    bucket.write("m/1/saved_model.pb", b"copied")
    before = bucket.objects()
    monkeypatch.setattr(bucket, "objects", lambda folder="": before)
    assert publication.publish_into(bucket, "m", tmp_path / "m" / "1", above=0) == 2
    monkeypatch.undo()
    assert "m/2/manifest.json" in bucket.objects()


_PUBLISHER = """
import sys
from service.repository.object_store.origin import models_folder
from service.repository.object_store.refreshing import current_store
root = models_folder(sys.argv[1])
print(flush=True)
input()
store = current_store(root, "m")
for number in range(3):
    text = f"{sys.argv[2]}.{number}"
    print(store.publish("m", lambda folder: (folder / "data").write_text(text) and None), text)
"""


def test_two_publishers_at_once_both_succeed_with_different_numbers(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishers = [
        subprocess.Popen(
            [sys.executable, "-c", _PUBLISHER, url, name],
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / name)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "other")
    ]
    for publisher in publishers:
        assert publisher.stdout is not None
        publisher.stdout.readline()
    for publisher in publishers:
        assert publisher.stdin is not None
        publisher.stdin.write("\n")
        publisher.stdin.flush()
    lines = [line for publisher in publishers for line in publisher.communicate()[0].splitlines()]
    given = {int(number): text for number, text in map(str.split, filter(None, lines))}
    assert sorted(given.values()) == [f"{n}.{i}" for n in ("one", "other") for i in range(3)]
    there = elsewhere(url, monkeypatch, tmp_path).versions("m")
    assert {version: (folder / "data").read_text() for version, folder in there.items()} == given
    assert was_published_here(there[1])


def test_the_manifest_comes_last_and_no_number_twice(
    url: str, spoiled: Bucket, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(models_folder(url))
    proxy.spoil = lambda method, path: CUT if "manifest.json" in path else None
    with pytest.raises(RepositoryError, match=url):
        publish(store, "a")
    assert store.versions("m") == {}
    assert elsewhere(url, monkeypatch, tmp_path).versions("m") == {}
    proxy.spoil = lambda method, path: None
    proxy.asked.clear()
    assert publish(store, "b") == 2
    puts = [path for method, path, _ in proxy.asked if method == "PUT"]
    assert [path.rpartition("m/")[2] for path in puts if "m/2/" in path] == [
        *("2/data", "2/manifest.json")
    ]
    assert puts[-1].endswith("m/2/manifest.json")
    assert list(elsewhere(url, monkeypatch, tmp_path).versions("m")) == [2]


def test_what_a_publisher_that_died_has_left_goes(
    url: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = "m/7/"
    bucket.write("m/.numbers/7", b"")
    bucket.write(f"{prefix}saved_model.pb", b"half")
    store = Store(models_folder(url))
    assert publish(store, "a") == 8
    assert f"{prefix}saved_model.pb" in bucket.objects()
    monkeypatch.setattr(publication, "_GIVEN_UP_S", -1.0)
    assert publish(store, "b") == 9
    assert not any(name.startswith(prefix) for name in bucket.objects())
    assert list(current_store(store.root).versions("m")) == [8, 9]


def test_old_versions_are_removed_there_as_well(url: str, bucket: Bucket) -> None:
    store = Store(models_folder(url))
    for text in "abc":
        publish(store, text)
    assert store.prune("m", 1, spare=[1]) == [2]
    assert publication.versions_of(bucket, "m") == {1, 3}
    assert list(current_store(store.root, "m").versions("m")) == [1, 3]
    assert publish(store, "d") == 4


def test_a_policy_is_changed_there_and_nothing_is_lost(
    url: str, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(models_folder(url))
    publish(store, "a")
    other = elsewhere(url, monkeypatch, tmp_path)
    folder = store.root / "m"

    def keep(policy: Policy) -> Policy:
        if policy.labels == {}:
            # In the middle of this change another is made.
            change_policy(other.root / "m", lambda policy: replace(policy, labels={"old": 1}))
        return replace(policy, keep=5)

    wanted = Policy(keep=5, labels={"old": 1})
    assert change_policy(folder, keep) == wanted
    assert read_policy(folder) == wanted
    found = bucket.read("m/policy.json", most_bytes=1000)
    assert found is not None
    assert elsewhere(url, monkeypatch, tmp_path).policy("m") == wanted
    with pytest.raises(RepositoryError, match="no earlier version"):
        change_policy(folder, lambda policy: rolled_back(policy, [1]))
    bucket.write("m/policy.json", b"broken")
    with pytest.raises(RepositoryError, match="is not JSON"):
        change_policy(folder, lambda policy: policy)
    assert change_policy(folder, lambda policy: policy, repair=True) == policy_from_json({})
    # That of there is in force here as well, though it is what a model without a policy has.
    assert read_policy(folder) == Policy()


def test_a_policy_that_cannot_be_changed_there_is_not_changed_here(
    url: str, spoiled: Bucket, proxy: Proxy
) -> None:
    store = Store(models_folder(url))
    publish(store, "a")
    proxy.spoil = lambda method, path: CUT if "policy.json" in path and method == "PUT" else None
    with pytest.raises(RepositoryError, match="error sending request"):
        change_policy(store.root / "m", lambda policy: replace(policy, keep=5))
    assert store.policy("m") == Policy()


def test_a_store_that_ignores_conditions_takes_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    (tmp_path / BUCKET).mkdir()
    with rclone("s3", tmp_path, free_port(), "--auth-key", "someone,something") as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served)
        store = Store(models_folder(f"s3://{BUCKET}"))
        with pytest.raises(RepositoryError, match="it can only be mirrored"):
            publish(store, "a")
    assert place_of(store.root) == f"s3://{BUCKET}"


def test_without_obstore_the_message_says_what_to_install(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(RepositoryError, match=r"pip install 'understudy\[object-store\]'"):
        Bucket(url)
