"""Data in an object store: a copy of it in the user's cache.

Each state of what is there has a folder of its own, which is there whole or not at all and never
changes. So a process goes on with the data that it has begun with while another fetches newer data.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from service.repository.errors import RepositoryError
from service.repository.folder_walk import remove_tree
from service.repository.json_files import read_object, write_object
from service.repository.object_store.bucket import Bucket, StoredObject, bucket_url
from service.repository.object_store.origin import mirror_folder_of
from training.console.progress import say
from training.errors import UsageError

_USE = "data"
_LOCK = ".lock"
# A state that was not used for so long, in seconds, is removed.
_FORGOTTEN_S = 7 * 86_400.0
# Of the list of a state's files: a million of them.
_MOST_BYTES = 2**28


def local_copy(place: Path) -> Path:
    """Return where data lies on this machine, after it was fetched if need be.

    Args:
        place: a file or a folder, which is returned as it is; or the URL of one in an object store,
            also as a path that has lost a slash of it. What has a suffix is a file if it is there.

    Raises:
        UsageError: the store holds nothing there.
        RepositoryError: the store cannot be read; the message says why.
        OSError: the copy cannot be written.
    """
    url = bucket_url(place)
    if url is None:
        return place
    folder, _, name = url.rpartition("/")
    if PurePosixPath(name).suffix and not folder.endswith(":/"):
        bucket = Bucket(folder)
        found = bucket.stat(name)
        if found is not None:
            return _state(bucket, url, {name: found}) / name
    bucket = Bucket(url)
    files = _files(bucket.objects())
    if not files:
        raise UsageError(f"There is nothing at {url}.")
    return _state(bucket, url, files)


def _files(objects: Mapping[str, StoredObject]) -> dict[str, StoredObject]:
    """Return the objects that can be files in a folder: their names may be anything."""
    # Some tools mark a folder by an empty object of its name.
    folders = {str(parent) for name in objects for parent in PurePosixPath(name).parents}
    return {
        name: found
        for name, found in objects.items()
        if name not in folders
        and "\0" not in name
        and not any(part in ("", ".", "..") for part in name.split("/"))
    }


def _state(bucket: Bucket, url: str, files: Mapping[str, StoredObject]) -> Path:
    """Return the folder with objects as they were listed."""
    marks = {name: files[name].mark for name in sorted(files)}
    look = hashlib.sha256(repr(marks).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    home = mirror_folder_of(url, _USE)
    state = home / look
    with _held(home):
        if not state.is_dir():
            total = sum(found.size for found in files.values())
            say(f"fetching {url}: {len(files):,} files, {total / 1e6:.1f} MB")
            _fetch(bucket, files, _known(home), home / f".{look}")
            write_object(_marks_of(state), marks)
            (home / f".{look}").rename(state)
        os.utime(state)
        _forget(home)
    return state


def _fetch(
    bucket: Bucket,
    files: Mapping[str, StoredObject],
    known: Mapping[tuple[str, str], Path],
    draft: Path,
) -> None:
    """Fill a folder with objects; go on with what is there of a fetching that was broken off."""
    for name, expected in files.items():
        path = draft / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = known.get((name, expected.mark))
        if before is None:
            bucket.fetch(name, path, expected, resume=True)
        elif not path.exists():
            os.link(before, path)


def _known(home: Path) -> dict[tuple[str, str], Path]:
    """Return the files of all states, by their names and marks."""
    known = {}
    for path in home.glob("*.json"):
        with suppress(RepositoryError):
            state = path.with_suffix("")
            known.update(
                {
                    (name, mark): state / name
                    for name, mark in read_object(path, most_bytes=_MOST_BYTES).items()
                    if (state / name).is_file()
                }
            )
    return known


def _marks_of(state: Path) -> Path:
    return state.with_suffix(".json")


def _forget(home: Path) -> None:
    for path in home.glob("*.json"):
        state = path.with_suffix("")
        with suppress(FileNotFoundError):
            if time.time() - state.stat().st_mtime > _FORGOTTEN_S:
                remove_tree(state)
                path.unlink()


@contextmanager
def _held(home: Path) -> Iterator[None]:
    """Be the only process that writes there while the block runs; wait for another one."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / _LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
