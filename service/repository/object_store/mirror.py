"""Carries out what a mirror has to do: one look at a store, and all that follows from it."""

import contextlib
import errno
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.repository.errors import RepositoryError
from service.repository.folder_walk import check_bounds, remove_tree
from service.repository.manifest import MANIFEST, listed_files, verify_manifest
from service.repository.model_policy import POLICY
from service.repository.object_store.bucket import Bucket, BucketError, ObjectChangedError
from service.repository.object_store.listing import Listing, read_listing
from service.repository.object_store.mirror_folder import MirrorFolder
from service.repository.object_store.mirror_plan import (
    RETENTION_S,
    Action,
    FetchPolicy,
    FetchVersion,
    Memory,
    Plan,
    Remove,
    next_actions,
)
from service.repository.safe_open import MOST_BYTES

# After so many fetches that the store failed in one look, the rest would fail as well.
_MOST_FAILURES = 3
# What a disk says of an object's name that is none of a file's.
_NO_FILE_NAME = (errno.ENAMETOOLONG, errno.EILSEQ)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class Outcome:
    """What one look came to.

    Attributes:
        events: what was done, a sentence each.
        problems: what could not be done, a sentence each.
        is_listed: whether the store has said what it holds.
        is_in_step: whether the folder holds all that the store holds.
        store_failed: whether the store did not answer as it should.
        folder_error: the first that kept something from being written into the folder.
    """

    events: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    is_listed: bool = False
    is_in_step: bool = False
    store_failed: bool = False
    folder_error: OSError | None = None


class Mirror:
    """A folder that follows a store, a look at a time."""

    def __init__(
        self,
        bucket: Bucket,
        folder: MirrorFolder,
        *,
        only: str | None = None,
        retention_s: float = RETENTION_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """The mirror of ``bucket`` in ``folder``.

        Args:
            bucket: the store.
            folder: the folder.
            only: the one model that is mirrored; ``None`` for all.
            retention_s: how long what is gone from the store stays, in seconds.
            clock: seconds, never going back.
        """
        self._bucket = bucket
        self._folder = folder
        self._only = only
        self._retention_s = retention_s
        self._clock = clock
        self._memory = Memory()

    def synchronise(self) -> Outcome:
        """List the store, and fetch and remove what differs.

        A store that does not answer changes nothing; a version that does not come as it should,
        or for which the folder has no room, holds up no other.

        Raises:
            RepositoryError: the folder mirrors another store by now.
            OSError: it cannot be read or written.
        """
        with self._folder.held():
            try:
                listing = read_listing(self._bucket.objects(self._only or ""))
            except BucketError as error:
                return Outcome(problems=[str(error)], store_failed=True)
            return self._follow(listing)

    def _follow(self, listing: Listing) -> Outcome:
        outcome = Outcome(is_listed=True)
        if not listing.has_versions:
            outcome.problems.append(f"{self._bucket.url} holds no version of any model.")
        plan = self._plan(listing)
        unknown: set[str] = set()
        policies = [action for action in plan.actions if isinstance(action, FetchPolicy)]
        if policies:
            unknown = self._carry_out_all(policies, listing, outcome)
            # What they say decides what else is to be done.
            plan = self._plan(listing)
        self._memory = plan.memory
        rest = [
            action
            for action in plan.actions
            if not isinstance(action, FetchPolicy) and action.model not in unknown
        ]
        self._carry_out_all(rest, listing, outcome)
        outcome.is_in_step = not outcome.problems and not plan.waits
        return outcome

    def _plan(self, listing: Listing) -> Plan:
        local = self._folder.models()
        if self._only is not None:
            local = {name: here for name, here in local.items() if name == self._only}
        return next_actions(
            listing, local, self._memory, self._clock(), retention_s=self._retention_s
        )

    def _carry_out_all(
        self, actions: Sequence[Action], listing: Listing, outcome: Outcome
    ) -> set[str]:
        """Carry out actions until the store fails too often; return the models that it failed."""
        failed: set[str] = set()
        failures = 0
        for number, action in enumerate(actions):
            try:
                self._carry_out(action, listing, outcome)
            except OSError as error:
                outcome.problems.append(f"{_shown(action)} cannot be written: {_of_disk(error)}")
                outcome.folder_error = outcome.folder_error or error
                failed.add(action.model)
            except BucketError as error:
                outcome.problems.append(str(error))
                outcome.store_failed = True
                failed.add(action.model)
                failures += 1
                if failures == _MOST_FAILURES:
                    failed |= {left.model for left in actions[number:]}
                    break
        return failed

    def _carry_out(self, action: Action, listing: Listing, outcome: Outcome) -> None:
        match action:
            case FetchPolicy(model):
                self._fetch_policy(model)
                outcome.events.append(f"{model}: its policy was changed.")
            case FetchVersion(model, version, remote):
                try:
                    self._fetch_version(action, listing)
                except (ObjectChangedError, _UnfitVersionError) as error:
                    # Somebody may write there just now.
                    now = self._clock()
                    self._memory = self._memory.refusing((model, version), remote.fingerprint, now)
                    outcome.problems.append(f"{model} {version} is not fetched: {error}")
                except OSError as error:
                    if error.errno in _NO_ROOM:
                        # What has come of it would take the room that all else needs.
                        self._folder.forget_arrivals(model, version)
                    raise
                else:
                    outcome.events.append(f"{model} {version} has come.")
            case Remove(model, name):
                self._folder.remove(model, name)
                outcome.events.append(f"{model} {name} is gone from the store, and removed.")

    def _fetch_policy(self, model: str) -> None:
        # Held while it is read: what is changed here meanwhile is written after it.
        with self._folder.policy_lock(model):
            found = self._bucket.read(f"{model}/{POLICY}", most_bytes=MOST_BYTES)
            if found is not None:
                data, stored = found
                self._folder.write_policy(model, data, stored.mark)

    def _fetch_version(self, action: FetchVersion, listing: Listing) -> None:
        """Bring a version into the folder.

        Raises:
            ObjectChangedError: an object is not the one that was listed.
            _UnfitVersionError: it is not what its manifest says, or cannot lie in a folder.
            BucketError: the store failed.
            OSError: the folder cannot be written.
        """
        model, version, remote = action.model, action.version, action.remote
        self._folder.forget_arrivals(model, version, but=remote.fingerprint)
        staging = self._folder.staging(model, version, remote.fingerprint)
        if not remote.has_manifest:
            # Nothing would show that what is left of an earlier attempt is whole.
            _empty(staging)
            sizes = {name: found.size for name, found in remote.files.items()}
            _check_room(self._folder.root, staging, sizes)
            for name in remote.files:
                self._fetch_file(action, name, staging, resume=False)
            _check_fit(check_bounds, staging)
            self._folder.install(model, version, remote.identity, staging)
            return
        self._fetch_file(action, MANIFEST, staging, resume=False)
        if _is_same_manifest(self._folder.root / model / version, staging):
            self._folder.note_published(staging, listing.published)
            self._folder.adopt(model, version, remote.identity)
            self._folder.forget_arrivals(model, version)
            return
        listed = _listed(staging)
        sizes = {name: int(entry["size"]) for name, entry in listed.items()}
        _check_room(self._folder.root, staging, sizes)
        for name, entry in listed.items():
            found = remote.files.get(name)
            if found is None or found.size != entry["size"]:
                there = "is not there" if found is None else f"has {found.size} bytes"
                raise _UnfitVersionError(
                    f"{name} {there}; the manifest says {entry['size']} bytes."
                )
            self._fetch_file(action, name, staging, resume=True)
        _check_fit(verify_manifest, staging)
        self._folder.note_published(staging, listing.published)
        self._folder.install(model, version, remote.identity, staging)

    def _fetch_file(self, action: FetchVersion, name: str, staging: Path, *, resume: bool) -> None:
        path = staging / name
        remote_name = f"{action.model}/{action.version}/{name}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._bucket.fetch(remote_name, path, action.remote.files[name], resume=resume)
        except OSError as error:
            if error.errno not in _NO_FILE_NAME:
                raise
            raise _UnfitVersionError(f"{name[:100]} cannot be a file: {error.strerror}.") from error


def _shown(action: Action) -> str:
    match action:
        case FetchPolicy(model):
            return f"{model} {POLICY}"
        case FetchVersion(model, version):
            return f"{model} {version}"
        case Remove(model, name):
            return f"{model} {name}, which is gone from the store,"


def _of_disk(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}."


def _check_room(root: Path, staging: Path, sizes: Mapping[str, int]) -> None:
    """Check that the disk has room for files, as far as they have not come before.

    Raises:
        OSError: it has not; nothing is written then, and the room stays for what is smaller.
    """
    needed = total = sum(sizes.values())
    for name, size in sizes.items():
        with contextlib.suppress(OSError):
            needed -= min((staging / name).stat().st_size, size)
    disk = shutil.disk_usage(staging)
    # Some file systems that lie elsewhere say nothing of themselves.
    if disk.total and needed > disk.free:
        # Not how many are free, which would be another problem with each look.
        raise OSError(errno.ENOSPC, f"The disk has no room for its {total} bytes", str(root))


class _UnfitVersionError(Exception):
    """A version is not what its manifest says, or cannot be a folder with files."""


def _check_fit(check: Callable[[Path], None], staging: Path) -> None:
    try:
        check(staging)
    except RepositoryError as error:
        _empty(staging)
        raise _UnfitVersionError(str(error)) from error


def _listed(staging: Path) -> dict[str, Any]:
    try:
        return listed_files(staging)
    except RepositoryError as error:
        raise _UnfitVersionError(str(error)) from error


def _is_same_manifest(folder: Path, staging: Path) -> bool:
    with contextlib.suppress(OSError):
        return (folder / MANIFEST).read_bytes() == (staging / MANIFEST).read_bytes()
    return False


def _empty(folder: Path) -> None:
    remove_tree(folder)
    folder.mkdir(parents=True, exist_ok=True)
