"""Which rows of feedback a version has learned from, kept in the version as digests.

The gate on audits leaves out rows that either version has learned from; a digest identifies them.
"""

from collections.abc import Iterable
from pathlib import Path

from service.repository.errors import RepositoryError
from service.repository.json_files import read_optional, write_object

LEARNED = "assets.extra/learned_feedback.json"
_FORMAT = 1


def write_learned(version: Path, keys: Iterable[str]) -> None:
    """Write the keys of the rows of feedback that a version has learned from; none, no file."""
    if known := sorted(keys):
        (version / LEARNED).parent.mkdir(exist_ok=True)
        write_object(version / LEARNED, {"format": _FORMAT, "rows": known})


def read_learned(version: Path) -> frozenset[str]:
    """Return the keys of the rows of feedback that a version has learned from.

    Raises:
        RepositoryError: the file is there, and is not one of this format.
    """
    match read_optional(version / LEARNED):
        case None:
            return frozenset()
        case {"format": 1, "rows": list(rows)} if all(isinstance(row, str) for row in rows):
            return frozenset(rows)
        case _:
            raise RepositoryError(f"{LEARNED} is not a file of format {_FORMAT}.")
