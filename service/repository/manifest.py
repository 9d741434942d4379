"""The manifest of a version: the hash and size of every file, written last.

TensorFlow loads the graph of one version with the variables of another without an error, so a
manifest of all files is the only guard against a version that was copied incompletely.
"""

import hashlib
from pathlib import Path
from typing import Any

from service.repository.errors import RepositoryError
from service.repository.folder_walk import walk
from service.repository.json_files import read_object, write_object
from service.repository.safe_open import open_file
from service.repository.unserved_entries import printable

MANIFEST = "manifest.json"
_FORMAT = 1


def write_manifest(directory: Path) -> None:
    """Write the manifest of all files in ``directory``; nothing may change there afterwards."""
    files = {
        name: {"sha256": _sha256(path), "size": path.stat().st_size}
        for name, path in _files(directory).items()
    }
    write_object(directory / MANIFEST, {"format": _FORMAT, "files": files})


def has_manifest(directory: Path) -> bool:
    """Whether the version brings a manifest; a foreign SavedModel does not.

    Raises:
        OSError: it cannot be seen; taken for "no", a version would not be verified.
    """
    try:
        (directory / MANIFEST).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def content_digest(directory: Path) -> str:
    """Return what stands for the content of a version: equal for equal files under equal names.

    With a manifest it is taken from there, which is right only once the manifest was verified;
    without one every file is read.

    Raises:
        RepositoryError: the manifest or a file cannot be read.
    """
    if has_manifest(directory):
        listed = listed_files(directory)
        sums = {name: entry["sha256"] for name, entry in listed.items()}
    else:
        sums = _sums(directory)
    text = "".join(f"{name}\0{sums[name]}\0" for name in sorted(sums))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _sums(directory: Path) -> dict[str, str]:
    """Return the hashes of a foreign version's files; links are followed, as TensorFlow does."""
    sums = {}
    seen = set()
    for parent, folders, names in walk(directory, onerror=_raise_unreadable, followlinks=True):
        status = parent.stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()  # A link that leads back.
            continue
        seen.add((status.st_dev, status.st_ino))
        for name in names:
            path = parent / name
            # Neither a pipe, which may never end, nor a broken link is read by TensorFlow.
            if not path.is_file():
                continue
            relative = path.relative_to(directory).as_posix()
            try:
                sums[relative] = _sha256(path)
            except OSError as error:
                raise RepositoryError(f"{relative} cannot be read: {error.strerror}.") from error
    return sums


def verify_manifest(directory: Path) -> None:
    """Check that the files in ``directory`` are exactly those of its manifest.

    Raises:
        RepositoryError: a file is missing, unlisted, a link, unreadable, of another size or
            another content; the message names it.
    """
    listed = listed_files(directory)
    found = _files(directory)
    for name in sorted(listed.keys() | found.keys()):
        if name not in found:
            raise RepositoryError(f"{name} is in the manifest but not on disk.")
        if name not in listed:
            raise RepositoryError(f"{name} is on disk but not in the manifest.")
        expected, size = listed[name], found[name].stat().st_size
        if size != expected["size"]:
            raise RepositoryError(f"{name} has {size} bytes, the manifest says {expected['size']}.")
        try:
            digest = _sha256(found[name])
        except OSError as error:
            raise RepositoryError(f"{name} cannot be read: {error.strerror}.") from error
        if digest != expected["sha256"]:
            raise RepositoryError(f"{name} does not have the content that the manifest says.")


def listed_files(directory: Path) -> dict[str, Any]:
    """Return what the manifest in ``directory`` says of each file: ``sha256`` and ``size``.

    Raises:
        RepositoryError: it is not a manifest, or cannot be read.
    """
    match read_object(directory / MANIFEST):
        case {"format": 1, "files": dict(files)} if all(map(_is_entry, files.values())):
            return files
        case _:
            raise RepositoryError(f"{MANIFEST} is not a manifest of format {_FORMAT}.")


def _is_entry(value: Any) -> bool:
    match value:
        case {"sha256": str(), "size": int()}:
            return True
        case _:
            return False


def _files(directory: Path) -> dict[str, Path]:
    """Map each file's name, relative and with slashes, to its path; the manifest is left out."""
    found = {}
    for parent, folders, names in walk(directory, onerror=_raise_unreadable):
        for name in (*folders, *names):
            path = parent / name
            relative = printable(path.relative_to(directory).as_posix())
            # A link can point out of the store, and its target can change behind the manifest.
            if path.is_symlink():
                raise RepositoryError(f"{relative} is a symbolic link.")
            if name in names and not path.is_file():
                raise RepositoryError(f"{relative} is neither file nor folder.")
            if name in names and relative != MANIFEST:
                found[relative] = path
    return found


def _raise_unreadable(error: OSError) -> None:
    name = Path(error.filename).name if error.filename else "A folder"
    raise RepositoryError(f"{printable(name)} cannot be read: {error.strerror}.") from error


def _sha256(path: Path) -> str:
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
