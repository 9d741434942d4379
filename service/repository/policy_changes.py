"""Changes a model's policy atomically, also while other processes change it."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from service.repository.errors import RepositoryError
from service.repository.file_lock import locked
from service.repository.json_files import object_text, parse_object
from service.repository.model_policy import (
    MOST_POLICY_BYTES,
    POLICY,
    Policy,
    policy_from_json,
    read_policy,
    write_policy,
)
from service.repository.object_store.bucket import Bucket
from service.repository.object_store.compare_and_set import change_object
from service.repository.object_store.origin import origin_of

# Beside the policy, and not a version's name; held by the process that changes the policy.
_LOCK = ".policy.lock"


@contextlib.contextmanager
def policy_locked(model_directory: Path) -> Iterator[None]:
    """Exclude other changes of a model's policy while the block runs.

    Raises:
        RepositoryError: another process holds the policy for too long.
        OSError: the folder cannot be written.
    """
    with locked(model_directory / _LOCK, POLICY):
        yield


def change_policy(
    model_directory: Path, change: Callable[[Policy], Policy], *, repair: bool = False
) -> Policy:
    """Read a model's policy, change it and put it in force, as one step.

    This is how everybody changes a policy: nothing that another changes at the same time is lost,
    in this process, in another, or on another machine that shares the store. Where the folder
    mirrors an object store, the policy is changed there, and here as well.

    Args:
        model_directory: the model's folder.
        change: returns the new policy; what it raises leaves the old one in force. It should look
            here, and not before, at whatever must still hold, such as that a version is there.
        repair: whether a file that is not a policy counts as the policy without a file, instead
            of an error.

    Returns:
        The policy that is in force now.

    Raises:
        RepositoryError: the file is not a policy, another process holds it for too long, or the
            object store does not change it.
        OSError: the folder cannot be written.
    """
    with policy_locked(model_directory):
        bucket = origin_of(model_directory.parent)
        if bucket is None:
            policy, is_changed = _changed(lambda: read_policy(model_directory), change, repair)
        else:
            policy = _change_in_store(bucket, model_directory.name, change, repair)
            is_changed = not _holds(model_directory, policy)
        if is_changed:
            write_policy(model_directory, policy)
        return policy


def _changed(
    read: Callable[[], Policy], change: Callable[[Policy], Policy], repair: bool
) -> tuple[Policy, bool]:
    """Return the new policy, and whether it differs from the old one."""
    try:
        before: Policy | None = read()
    except RepositoryError:
        if not repair:
            raise
        before = None
    policy = change(before or Policy())
    return policy, policy != before


def _change_in_store(
    bucket: Bucket, model: str, change: Callable[[Policy], Policy], repair: bool
) -> Policy:
    """Change a policy in an object store, and return it."""
    policy = Policy()

    def changed(data: bytes | None) -> bytes | None:
        nonlocal policy
        policy, is_changed = _changed(lambda: _policy_of(data), change, repair)
        return object_text(policy.to_json()) if is_changed else None

    change_object(bucket, f"{model}/{POLICY}", changed, most_bytes=MOST_POLICY_BYTES)
    return policy


def _holds(model_directory: Path, policy: Policy) -> bool:
    """Return whether a policy is in force in a folder."""
    try:
        return read_policy(model_directory) == policy
    except RepositoryError:
        return False


def _policy_of(data: bytes | None) -> Policy:
    return Policy() if data is None else policy_from_json(parse_object(data, POLICY))
