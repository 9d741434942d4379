"""Several who change one policy at the same moment: processes, as the trainer and services are."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.repository import file_lock
from service.repository.errors import RepositoryError
from service.repository.model_policy import (
    POLICY,
    Policy,
    begin_rollout,
    read_policy,
    with_changes,
    write_policy,
)
from service.repository.policy_changes import change_policy
from service.repository.rollout_policy import RolloutRules

TRIES = 40
# What each process changes: a part that no other touches.
PARTS: list[Callable[[Policy, int], Policy]] = [
    lambda policy, number: replace(policy, latest=number + 1),
    lambda policy, number: replace(policy, labels={**policy.labels, "a": number}),
    lambda policy, number: replace(policy, labels={**policy.labels, "b": number}),
    lambda policy, number: replace(policy, keep=number + 1),
]


def change_often(folder: Path, part: int, barrier: Any) -> None:
    for number in range(TRIES):
        barrier.wait(60)
        change_policy(folder, lambda policy, n=number: PARTS[part](policy, n))  # type: ignore[misc]
        barrier.wait(60)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_of_changes_at_one_moment_none_is_lost(tmp_path: Path, count: int) -> None:
    # Started anew and not forked: the tests have threads.
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(count + 1)
    processes = [
        context.Process(target=change_often, args=(tmp_path, part, barrier))
        for part in range(count)
    ]
    for process in processes:
        process.start()
    lost = 0
    for number in range(TRIES):
        barrier.wait(60)
        barrier.wait(60)
        expected = Policy()
        for part in PARTS[:count]:
            expected = part(expected, number)
        lost += read_policy(tmp_path) != expected
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert lost == 0
    assert sorted(os.listdir(tmp_path)) == [".policy.lock", POLICY]


def test_what_a_change_raises_leaves_the_policy_and_frees_it(tmp_path: Path) -> None:
    write_policy(tmp_path, Policy(keep=3))

    def refuse(policy: Policy) -> Policy:
        raise ValueError(policy.keep)

    with pytest.raises(ValueError, match="3"):
        change_policy(tmp_path, refuse)
    assert read_policy(tmp_path) == Policy(keep=3)
    assert change_policy(tmp_path, lambda policy: replace(policy, keep=4)) == Policy(keep=4)


def test_a_policy_that_stays_is_not_written(tmp_path: Path) -> None:
    assert change_policy(tmp_path, lambda policy: policy) == Policy()
    assert not (tmp_path / POLICY).exists()


def test_a_file_that_is_no_policy_is_replaced_only_where_that_is_meant(tmp_path: Path) -> None:
    (tmp_path / POLICY).write_text("{")
    with pytest.raises(RepositoryError, match="not JSON"):
        change_policy(tmp_path, lambda policy: replace(policy, keep=1))
    assert (tmp_path / POLICY).read_text() == "{"
    change_policy(tmp_path, lambda policy: policy, repair=True)
    assert read_policy(tmp_path) == Policy()


HOLD = """
import sys, pathlib
from service.repository.policy_changes import policy_locked
with policy_locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_who_holds_a_policy_for_long_is_named_and_who_dies_holds_nothing(
    tmp_path: Path, repository_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_lock, "_PATIENCE_S", 0.1)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        cwd=repository_root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(
            RepositoryError,
            match=r"^policy\.json is being changed by another process, which has held "
            r"\.policy\.lock for more than 0\.1 s\. Nothing was changed\.$",
        ):
            change_policy(tmp_path, lambda policy: replace(policy, keep=1))
        holder.kill()
        holder.wait(60)
    assert change_policy(tmp_path, lambda policy: replace(policy, keep=1)) == Policy(keep=1)


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        change_policy(tmp_path / "gone", lambda policy: policy)


def test_to_unload_a_model_ends_no_rollout() -> None:
    """Else its candidate would answer everybody when it is loaded again."""
    policy = begin_rollout(Policy(), 1, 2, RolloutRules())
    unloaded = with_changes(policy, {"unloaded": True})
    assert unloaded.select({1, 2}) == []
    assert with_changes(unloaded, {"unloaded": False}) == policy
    assert with_changes(policy, {"serve": {"latest": 1}}) == Policy()


def test_changes_name_what_changes() -> None:
    policy = Policy(
        latest=2, labels={"a": 1}, keep=3, unloaded=True, allow_operations=("ReadFile",)
    )
    assert with_changes(policy, {}) == policy
    assert with_changes(policy, {"keep": None}) == replace(policy, keep=None)
    assert with_changes(policy, {"unloaded": False}) == replace(policy, unloaded=False)
    assert with_changes(policy, {"labels": {}}) == replace(policy, labels={})
    pinned = with_changes(policy, {"serve": {"versions": [1]}})
    assert pinned == replace(policy, latest=1, versions=(1,))
    with pytest.raises(RepositoryError, match="must hold a JSON object"):
        with_changes(policy, [1])


def test_equal_policies_have_equal_tags() -> None:
    one, other = Policy(labels={"a": 1, "b": 2}), Policy(labels={"b": 2, "a": 1})
    assert one.etag == other.etag
    assert one.etag != Policy(labels={"a": 1}).etag
