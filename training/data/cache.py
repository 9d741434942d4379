"""Parsed data kept as ``.npz`` beside the user's other caches, never in the source."""

import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from service.repository.atomic_files import replacing
from training.array_types import Array
from training.data.dataset_location import DataSet, Found

# Part of a cache file's name: to be raised when a parser gives something else than before.
_FORMAT = 3


def cache_home() -> Path | None:
    """Return the folder of parsed data, where the system keeps its caches.

    On Linux that is ``$XDG_CACHE_HOME/understudy``, or ``~/.cache/understudy``; ``None`` for a user
    without a home.
    """
    try:
        return user_cache_path("understudy", appauthor=False)
    except RuntimeError:
        return None


def parsed(
    data_set: DataSet, found: Found, parse: Callable[[Found], dict[str, Array]]
) -> dict[str, Array]:
    """Return what ``parse`` makes of the files, from the cache when these files were parsed before.

    Raises:
        TrainingError: the files are not what they should be; from ``parse``.
    """
    return cached(data_set.name, found.fingerprint(), lambda: parse(found))


def cached(
    name: str,
    fingerprint: str,
    make: Callable[[], dict[str, Array]],
    *,
    keep: Callable[[dict[str, Array]], bool] = lambda made: True,
) -> dict[str, Array]:
    """Return what ``make`` makes, from the cache where it is under this name and fingerprint.

    Args:
        name: of what is made.
        fingerprint: of what it is made from.
        make: makes it.
        keep: whether what was made follows from the fingerprint alone, and is stored.
    """
    home = cache_home()
    if home is None:
        return make()
    path = home / f"{name}-{_FORMAT}-{fingerprint[:16]}.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        pass  # never written, or not whole
    arrays = make()
    if keep(arrays):
        _store(path, arrays)
    return arrays


def _store(path: Path, arrays: dict[str, Array]) -> None:
    """Write the cache; it is a convenience, so a full or read-only disk is not a failure."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, durable=False) as draft:
            np.savez(draft, allow_pickle=False, **arrays)
