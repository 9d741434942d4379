"""Which object store a folder mirrors, and where the mirror of a store is."""

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path

from service.repository.atomic_files import write_atomically
from service.repository.errors import RepositoryError
from service.repository.folder_names import is_served_name, is_version_name
from service.repository.object_store.bucket import Bucket, bucket_url, url_problem
from service.repository.safe_open import read_file

# In the folder: all that is the mirror's own.
OWN = ".mirror"
METRICS = "metrics.prom"
_SOURCE = "source"
SERVING, PUBLISHING = "serving", "publishing"


def origin_url(root: Path) -> str | None:
    """Return the URL of the store that a folder mirrors; ``None`` of a folder of its own.

    Raises:
        RepositoryError: the folder says that it is a mirror, but not of what.
    """
    path = root / OWN / _SOURCE
    try:
        text = read_file(path).decode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise RepositoryError(f"{path} cannot be read: {error}.") from error
    return text.strip()


def origin_of(root: Path) -> Bucket | None:
    """Return the store that a folder mirrors; ``None`` of a folder of its own.

    Raises:
        RepositoryError: the store cannot be used here.
    """
    url = origin_url(root)
    return None if url is None else Bucket(url)


def check_publishable(root: Path) -> None:
    """Check that versions can be published into a folder, if it mirrors a store.

    Raises:
        BucketError: the store has no conditional puts, or does not answer.
    """
    bucket = origin_of(root)
    if bucket is not None:
        bucket.check_conditions()


def mark_as_mirror(root: Path, url: str) -> None:
    """Let a folder be the mirror of a store; it is made if it is not there.

    Raises:
        RepositoryError: it is the mirror of another one, or the URL cannot be a store's.
        OSError: it cannot be written.
    """
    if problem := url_problem(url):
        raise RepositoryError(problem)
    (root / OWN).mkdir(parents=True, exist_ok=True)
    known = origin_url(root)
    if known is None:
        write_atomically(root / OWN / _SOURCE, f"{url}\n".encode(), durable=True)
    elif known != url:
        raise RepositoryError(f"{root} mirrors {known}; give {url} a folder of its own.")


def claim_as_mirror(root: Path, url: str) -> None:
    """Let a folder be the mirror of a store, unless it holds models that were not mirrored.

    Versions and policies of the same names would be replaced by the store's.

    Raises:
        RepositoryError: it holds models and mirrors nothing yet; or as ``mark_as_mirror``.
        OSError: it cannot be read or written.
    """
    if problem := url_problem(url):
        raise RepositoryError(problem)
    if origin_url(root) is None and root.is_dir() and (model := _model_in(root)):
        raise RepositoryError(
            f"{root} has models of its own, such as {model}, which a mirror would replace; give "
            f"{url} a folder of its own."
        )
    mark_as_mirror(root, url)


def _model_in(root: Path) -> str:
    """Return the name of a model in a folder; empty where there is none."""
    models = (folder for folder in root.iterdir() if is_served_name(folder.name))
    for model in sorted(models):
        if model.is_dir() and any(is_version_name(entry.name) for entry in model.iterdir()):
            return model.name
    return ""


def mirror_folder_of(url: str, use: str) -> Path:
    """Return the folder that mirrors a store where no other is named: in the user's cache.

    Args:
        url: the store's.
        use: a part of the folder's path, so that publishers and services have different mirrors.

    Raises:
        RepositoryError: this user has no cache, for want of a home.
    """
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError as error:
        raise RepositoryError(
            f"This user has no home folder in which {url} could be mirrored: set XDG_CACHE_HOME to "
            "a folder."
        ) from error
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", url)[:60]
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    return cache / "understudy" / use / f"{readable}-{digest}"


def models_folder(place: str | Path) -> Path:
    """Return the folder of models at a place: the folder itself, or the mirror of a store.

    Args:
        place: a folder, or the URL of a store; nothing is asked of it yet (``bring_up_to_date``).

    Raises:
        RepositoryError: the URL cannot be a store's, or the mirror's folder cannot be made.
    """
    url = bucket_url(place)
    if url is None:
        return Path(place)
    folder = mirror_folder_of(url, PUBLISHING)
    try:
        mark_as_mirror(folder, url)
    except OSError as error:
        raise RepositoryError(
            f"{url} is mirrored into {folder}, which cannot be written: {error.strerror}. "
            "XDG_CACHE_HOME names another folder for it."
        ) from error
    return folder


def place_of(root: Path) -> str:
    """Return what ``models_folder`` finds a folder by: the URL of a mirror's store, or its path."""
    with suppress(RepositoryError):
        return origin_url(root) or str(root)
    return str(root)
