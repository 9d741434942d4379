"""The folder of models: ``<root>/<model>/<version>/``, and how a version gets there."""

import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from uuid import uuid4

from service.repository import serving_records, version_numbers
from service.repository.durability import sync, sync_tree
from service.repository.errors import RepositoryError
from service.repository.folder_names import LAST_VERSION, is_served_name, is_version_name
from service.repository.folder_walk import remove_tree
from service.repository.manifest import write_manifest
from service.repository.model_policy import Policy, read_policy
from service.repository.object_store.bucket import Bucket
from service.repository.object_store.origin import origin_of
from service.repository.object_store.publication import publish_into, remove_from, versions_of
from service.repository.publication_marks import note_published
from service.repository.unserved_entries import UnservedEntry, unreadable, unserved_in_root

# What can be published: names that need no quoting in a shell, a path or a URL.
_MODEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_INCOMING = ".incoming-"
# A staging folder younger than this may not have been locked by its owner yet.
_SWEEP_AFTER_S = 60.0


def check_model_name(model: str) -> None:
    """Check that a model can be published under a name.

    Raises:
        RepositoryError: it cannot.
    """
    if not _MODEL_NAME.fullmatch(model):
        raise RepositoryError(
            f"{model!r} cannot be a model's name: letters, digits, '_', '.' and '-' only, "
            "not starting with '.' or '-'."
        )


class Store:
    """The models under one root folder. Holds no state: each call looks at the disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def records(self) -> Path:
        """The folder in which a service writes down what serves."""
        return self.root

    def models(self) -> list[str]:
        """Return the names of the models, those whose folders hold at least one version."""
        return self.survey()[0]

    def survey(self) -> tuple[list[str], list[UnservedEntry]]:
        """Return the names of the models, and what else is there and not served, with reasons.

        An entry that cannot be read is among the latter; it hides none of the others.
        """
        return unserved_in_root(self.root, is_served_name, self.versions)

    def reconfigure(self, text: bytes) -> None:
        """Refuse other models.

        Raises:
            RepositoryError: always: what lies in the folder is served.
        """
        raise RepositoryError(
            "The models are those in the folder that MODELS names; publish models there, or list "
            "base paths in UNDERSTUDY_MODEL_CONFIG_FILE."
        )

    def why_unreadable(self) -> str:
        """Return why nothing of the root folder can be seen, in a sentence; empty if it can."""
        try:
            os.scandir(self.root).close()
        except OSError as error:
            return unreadable(error)
        return ""

    def versions(self, model: str) -> dict[int, Path]:
        """Return a model's versions and their folders, lowest first.

        ``007`` is version 7, as it is to TensorFlow Serving; where ``7`` stands beside it, ``7``
        is taken.

        Raises:
            OSError: the model's folder is there but cannot be read. An entry of it that cannot
                be read is no version, and hides none.
        """
        return versions_in(self.root / model)

    def policy(self, model: str) -> Policy:
        """Return what should serve of a model.

        Raises:
            RepositoryError: the policy file is not a policy; the message names the place.
        """
        return read_policy(self.root / model)

    def policy_folder(self, model: str) -> Path:
        """Return the folder that holds a model's policy file."""
        return self.root / model

    def publish(self, model: str, fill: Callable[[Path], None]) -> int:
        """Make the next version of ``model`` and return its number.

        The number is above those of all versions that are there, that were published here, or
        that services have served, so that no number is used again when its version was removed.

        The version appears at once and whole, or not at all: it is written beside the others
        under a name that no reader takes for a version, and renamed when it is safe on disk. Where
        the folder mirrors an object store it appears there before it does here.

        Args:
            model: the model's name; its folder is made when it is the first version.
            fill: writes the version into the empty folder that it is given.

        Raises:
            RepositoryError: the name cannot be a model's, its numbers are used up, or the object
                store does not take it.
            OSError: the disk is full or not writable; nothing is left behind.
        """
        check_model_name(model)
        bucket = origin_of(self.root)
        folder = self.root / model
        folder.mkdir(parents=True, exist_ok=True)
        self.sweep(model)
        staging = folder / f"{_INCOMING}{uuid4().hex}"
        staging.mkdir()
        # The lock shows sweepers that the owner is alive; the kernel drops it with the process.
        lock = os.open(staging, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            fill(staging)
            write_manifest(staging)
            note_published(self.root, staging)
            sync_tree(staging)
            if bucket is not None:
                return self._upload(bucket, model, staging)
            return self._rename_to_next(model, staging)
        except BaseException:
            remove_tree(staging)
            raise
        finally:
            os.close(lock)

    def sweep(self, model: str) -> None:
        """Remove what publishers that died have left of their unfinished versions."""
        for staging in (self.root / model).glob(f"{_INCOMING}*"):
            try:
                lock = os.open(staging, os.O_RDONLY)
            except FileNotFoundError:
                continue
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - os.fstat(lock).st_mtime > _SWEEP_AFTER_S:
                    remove_tree(staging)
            except BlockingIOError:
                continue
            finally:
                os.close(lock)

    def prune(
        self, model: str, keep: int, spare: Iterable[int] = (), refused: Iterable[int] = ()
    ) -> list[int]:
        """Remove a model's oldest versions, and return their numbers.

        A version is renamed to a hidden folder first, so that nobody sees half of it.

        Args:
            model: the model's name.
            keep: how many of the highest versions stay.
            spare: versions that stay besides: those that serve, are pinned or have a label.
            refused: versions that cannot serve, which are not among those that ``keep`` counts;
                they go with the versions that are older than what is kept.
        """
        versions = self.versions(model)
        bucket = origin_of(self.root)
        there = versions.keys() if bucket is None else versions_of(bucket, model)
        counted = sorted(there - set(refused))
        oldest_kept = counted[-keep] if len(counted) >= keep else 0
        spared = set(spare)
        doomed = [v for v in sorted(there) if v < oldest_kept and v not in spared]
        if bucket is not None:
            remove_from(bucket, model, set(doomed))
        for version in versions.keys() & set(doomed):
            grave = self.root / model / f"{_INCOMING}{uuid4().hex}"
            versions[version].rename(grave)
            remove_tree(grave)
        return doomed

    def _upload(self, bucket: Bucket, model: str, staging: Path) -> int:
        above = max(self.versions(model), default=0)
        version = publish_into(bucket, model, staging, above=above)
        try:
            staging.rename(self.root / model / str(version))
        except OSError as error:
            # The mirror was faster; after any other failure the mirror fetches the version.
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                remove_tree(staging)
        return version

    def _rename_to_next(self, model: str, staging: Path) -> int:
        given = 0
        while True:
            with version_numbers.numbering(self.root, model):
                version = 1 + max(
                    given,
                    *self.versions(model),
                    *serving_records.ever_served(self.root, model),
                    version_numbers.highest_given(self.root, model),
                )
                if version > LAST_VERSION:
                    raise RepositoryError(
                        f"{model} has a version {LAST_VERSION}, or had one; there is no number "
                        "above it."
                    )
                is_free = version_numbers.claim(self.root, model, version)
            # The number counts as given, whichever process got it.
            given = version
            if not is_free:
                continue
            try:
                staging.rename(self.root / model / str(version))
            except OSError as error:
                # Another publisher took the number; any other failure is the caller's to know.
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    version_numbers.release_number(self.root, model, version)
                    raise
                continue
            sync(self.root / model)
            version_numbers.forget_below(self.root, model, version)
            return version


def versions_in(folder: Path) -> dict[int, Path]:
    """Return the versions in a model's folder and their own folders, lowest first.

    Raises:
        OSError: the folder is there but cannot be read.
    """
    try:
        names = [entry.name for entry in os.scandir(folder) if _is_folder(entry)]
    except (FileNotFoundError, NotADirectoryError):
        return {}
    numbered = sorted((int(name), -len(name), name) for name in names if is_version_name(name))
    return {version: folder / name for version, _, name in numbered}


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A link to itself is one.
        return False
