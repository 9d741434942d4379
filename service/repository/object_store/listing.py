"""What an object store holds of models, read from the names of its objects.

They lie as in a folder of models: ``<model>/<version>/<file>`` and ``<model>/policy.json``. A
number that a publisher has taken is the empty object ``<model>/.numbers/<version>``; a version that
was published, and not copied in, has ``.published/<sha256 of its manifest>``.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from service.repository.folder_names import is_served_name, is_version_name
from service.repository.manifest import MANIFEST
from service.repository.model_policy import POLICY
from service.repository.object_store.bucket import StoredObject
from service.repository.publication_marks import MARKS
from service.repository.version_numbers import IN_MODEL

_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")
# Of a file's or a folder's name.
_MOST_BYTES = 255


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """A version as a listing shows it.

    Attributes:
        files: its objects, by their names within it.
    """

    files: Mapping[str, StoredObject]

    @property
    def has_manifest(self) -> bool:
        """Whether it says what belongs to it, as the last thing that a publisher writes."""
        return MANIFEST in self.files

    @property
    def has_graph(self) -> bool:
        """Whether it can be a SavedModel."""
        return any(name in self.files for name in _GRAPHS)

    @property
    def fingerprint(self) -> str:
        """A digest of its objects' names, sizes and entity tags; 32 hexadecimal digits."""
        text = "".join(f"{name}\0{it.size}\0{it.mark}\0" for name, it in sorted(self.files.items()))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    @property
    def identity(self) -> str:
        """What stands for its content: its manifest, or without one all its objects."""
        return self.files[MANIFEST].mark if self.has_manifest else self.fingerprint


@dataclass(slots=True)
class RemoteModel:
    """A model as a listing shows it.

    Attributes:
        versions: by the names of their folders, which are numbers.
        policy: its policy file, where it has one.
        taken: the numbers that publishers have taken.
    """

    versions: dict[str, RemoteVersion] = field(default_factory=dict)
    policy: StoredObject | None = None
    taken: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Listing:
    """All that an object store holds.

    Attributes:
        models: by name.
        published: the hashes of the manifests of versions that were published there.
    """

    models: Mapping[str, RemoteModel]
    published: frozenset[str] = frozenset()

    @property
    def has_versions(self) -> bool:
        """Whether there is anything to serve: one that has nothing may have been misread."""
        return any(model.versions for model in self.models.values())


def read_listing(objects: Mapping[str, StoredObject]) -> Listing:
    """Sort objects by the models and versions that they belong to; others are left out."""
    models: dict[str, RemoteModel] = {}
    files: dict[tuple[str, str], dict[str, StoredObject]] = {}
    published = set()
    for name, stored in objects.items():
        # A name may be anything, and is about to become a path.
        parts = name.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            continue
        match parts:
            case [folder, digest] if folder == MARKS:
                published.add(digest)
            case [model, *_] if not is_served_name(model) or len(model.encode()) > _MOST_BYTES:
                continue
            case [model, file] if file == POLICY:
                models.setdefault(model, RemoteModel()).policy = stored
            case [model, folder, number] if folder == IN_MODEL:
                if is_version_name(number):
                    models.setdefault(model, RemoteModel()).taken.add(int(number))
            case [model, version, *inner] if inner and is_version_name(version):
                files.setdefault((model, version), {})["/".join(inner)] = stored
    for (model, version), of_version in files.items():
        found = RemoteVersion(_without_folders(of_version))
        models.setdefault(model, RemoteModel()).versions[version] = found
    return Listing(models, frozenset(published))


def _without_folders(files: Mapping[str, StoredObject]) -> dict[str, StoredObject]:
    """Return those of a version's objects that can be files beside the others."""
    # Some tools mark a folder by an empty object of its name.
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    return {name: found for name, found in files.items() if name not in folders}
