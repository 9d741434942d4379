"""Which versions were published here, and did not come from elsewhere.

Anybody can write a manifest, and a model from elsewhere may bring one. So publishing also leaves a
mark in the store, outside of the model: ``<store>/.published/<sha256 of the manifest>``. A version
or a model that is copied in has none. Who can write there can write a ``policy.json`` as well,
and could allow by it whatever the mark allows.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

from service.repository.errors import RepositoryError
from service.repository.manifest import MANIFEST
from service.repository.safe_open import read_file

MARKS = ".published"


def note_published(root: Path, version_directory: Path) -> None:
    """Leave the mark of a version that is about to be published, with the manifest it has now.

    Where the store's own folder cannot be written there is no mark: a version needs one only for
    operations that a policy can allow as well.
    """
    with suppress(OSError):
        (root / MARKS).mkdir(exist_ok=True)
        (root / MARKS / mark_of(version_directory)).touch()


def was_published_here(version_directory: Path) -> bool:
    """Whether there is a mark of ``<store>/<model>/<version>``, whose manifest must be verified."""
    try:
        return (version_directory.parent.parent / MARKS / mark_of(version_directory)).is_file()
    except (OSError, RepositoryError):
        return False


def mark_of(version_directory: Path) -> str:
    """Return the name of a version's mark.

    Raises:
        OSError: it has no manifest.
        RepositoryError: the manifest is no file, or too large.
    """
    return hashlib.sha256(read_file(version_directory / MANIFEST)).hexdigest()
