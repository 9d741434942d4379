"""The folder that a store is mirrored into. Killed at any moment, it is whole.

What is the mirror's own lies in ``.mirror``: the store's URL (``source``), what was fetched and how
it looked there (``looks.json``), versions that are on their way (``incoming``), the lock of
the process that mirrors, and its metrics. Without ``looks.json`` what is there is compared anew.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from service.repository.atomic_files import write_atomically
from service.repository.durability import sync, sync_tree
from service.repository.errors import RepositoryError
from service.repository.folder_names import is_served_name, is_version_name
from service.repository.folder_walk import remove_tree
from service.repository.json_files import read_optional, write_object
from service.repository.model_policy import POLICY, Policy, read_policy
from service.repository.model_store import Store
from service.repository.object_store.mirror_plan import LocalModel
from service.repository.object_store.origin import METRICS, OWN, claim_as_mirror, mark_as_mirror
from service.repository.policy_changes import policy_locked
from service.repository.publication_marks import mark_of, note_published
from service.repository.serving_status import realities

_LOOKS, _INCOMING, _LOCK = "looks.json", "incoming", "lock"


class MirrorFolder:
    """What is in the folder, and how something comes into it or leaves it."""

    def __init__(self, root: Path, url: str) -> None:
        """The mirror of the store at ``url`` in ``root``.

        Raises:
            RepositoryError: the folder mirrors another store, or has models of its own.
            OSError: it cannot be written.
        """
        self.root = root
        self._url = url
        self._own = root / OWN
        claim_as_mirror(root, url)
        self._looks: dict[str, dict[str, str]] = {}
        # The last of each model that could be read.
        self._policies: dict[str, Policy] = {}

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Be the only process that mirrors into it while the block runs; wait for another one.

        Raises:
            RepositoryError: the folder mirrors another store by now.
            OSError: it cannot be written.
        """
        mark_as_mirror(self.root, self._url)
        handle = os.open(self._own / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._looks = self._read_looks()
            yield
        finally:
            os.close(handle)

    def models(self) -> dict[str, LocalModel]:
        """Return what is there, by model.

        Raises:
            OSError: the folder cannot be read.
        """
        names = sorted(entry.name for entry in os.scandir(self.root) if is_served_name(entry.name))
        folders = [name for name in names if (self.root / name).is_dir()]
        real = realities(Store(self.root), folders)
        return {name: self._model(name, frozenset(real[name].serving)) for name in folders}

    def staging(self, model: str, version: str, look: str) -> Path:
        """Return the folder in which a version arrives; what came of it before is still there."""
        folder = self._own / _INCOMING / model / f"{version}-{look}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def install(self, model: str, version: str, identity: str, staging: Path) -> None:
        """Let a version appear, whole and at once, in place of another of its number.

        Raises:
            OSError: the folder cannot be written.
        """
        sync_tree(staging)
        folder = self.root / model / version
        folder.parent.mkdir(exist_ok=True)
        # Without the version the record of it says nothing, so it is written first.
        self._retire(folder)
        self._record(model, version, identity)
        staging.rename(folder)
        sync(folder.parent)
        self.forget_arrivals(model, version)

    def adopt(self, model: str, version: str, identity: str) -> None:
        """Note that a version that is there is the store's."""
        self._record(model, version, identity)

    def note_published(self, staging: Path, published: frozenset[str]) -> None:
        """Leave a mark of a version that has one in the store."""
        if mark_of(staging) in published:
            note_published(self.root, staging)

    def write_policy(self, model: str, data: bytes, mark: str) -> None:
        """Put a policy in force as it is in the store; its lock must be held (``policy_lock``)."""
        write_atomically(self.root / model / POLICY, data, durable=True)
        self._record(model, POLICY, mark)

    @contextlib.contextmanager
    def policy_lock(self, model: str) -> Iterator[None]:
        """Let nobody here change a model's policy while the block reads and writes it.

        Raises:
            RepositoryError: another process holds it for too long.
        """
        (self.root / model).mkdir(exist_ok=True)
        with policy_locked(self.root / model):
            yield

    def remove(self, model: str, name: str) -> None:
        """Remove a version or the policy: hidden first, so that nobody sees half of it."""
        path = self.root / model / name
        if name == POLICY:
            path.unlink(missing_ok=True)
        else:
            self._retire(path)
            self.forget_arrivals(model, name)
        self._record(model, name, None)
        # A model's folder that has nothing of anybody goes with its last version.
        with contextlib.suppress(OSError):
            path.parent.rmdir()

    def forget_arrivals(self, model: str, version: str, *, but: str | None = None) -> None:
        """Remove what has come of a version that looked otherwise, or that is there."""
        arrivals = self._own / _INCOMING / model
        for path in arrivals.glob(f"{version}-*"):
            if but is None or path.name != f"{version}-{but}":
                remove_tree(path)
        with contextlib.suppress(OSError):
            arrivals.rmdir()

    def write_metrics(self, text: bytes) -> None:
        """Write the mirror's metrics where the service and a textfile collector find them."""
        write_atomically(self._own / METRICS, text, durable=False, exclusive=True)

    def _model(self, name: str, serving: frozenset[int]) -> LocalModel:
        looks = self._looks.get(name, {})
        folder = self.root / name
        there = [entry.name for entry in os.scandir(folder) if is_version_name(entry.name)]
        try:
            parsed_policy = self._policies[name] = read_policy(folder)
        except RepositoryError:
            # The service says what is wrong with it, and goes by the last as well. Where none is
            # known, no more versions come than are here: all of them might not find room.
            parsed_policy = self._policies.get(name) or Policy(keep=max(1, len(there)))
        has_policy = (folder / POLICY).is_file()
        return LocalModel(
            versions={version: looks.get(version, "") for version in there},
            policy=looks.get(POLICY) if has_policy else None,
            parsed_policy=parsed_policy,
            serving=serving,
        )

    def _retire(self, folder: Path) -> None:
        grave = self._own / _INCOMING / folder.parent.name / f"{folder.name}-gone"
        remove_tree(grave)
        grave.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            folder.rename(grave)
        remove_tree(grave)

    def _record(self, model: str, name: str, look: str | None) -> None:
        of_model = self._looks.setdefault(model, {})
        if look is None:
            of_model.pop(name, None)
        else:
            of_model[name] = look
        if not of_model:
            del self._looks[model]
        write_object(self._own / _LOOKS, {"format": 1, "models": self._looks})

    def _read_looks(self) -> dict[str, dict[str, str]]:
        with contextlib.suppress(RepositoryError):
            match read_optional(self._own / _LOOKS):
                case {"format": 1, "models": dict(models)} if all(map(_are_looks, models.values())):
                    return models
        return {}


def _are_looks(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(look, str) for look in value.values())
