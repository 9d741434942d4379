"""Whether the files of versions that serve are still those that were loaded."""

import contextlib
from dataclasses import replace
from pathlib import Path

from service.repository.errors import RepositoryError
from service.repository.manifest import content_digest, has_manifest
from service.runtime.directory_snapshot import take_snapshot
from service.runtime.loader import LoadedVersion

VANISHED = "Its folder has vanished; it goes on serving from memory."
CHANGED = (
    "Its files have changed since it was loaded; the loaded version goes on serving. Version "
    "numbers are never reused: publish other content under a new number."
)


class LiveFiles:
    """How the files of one model's serving versions looked when they were last compared."""

    def __init__(self) -> None:
        # How the files looked when they were last found to have changed.
        self._changes: dict[int, str] = {}

    def compare(
        self, version: int, folder: Path | None, live: LoadedVersion
    ) -> tuple[str, LoadedVersion]:
        """Compare a version's files with those that were loaded.

        Args:
            version: its number.
            folder: its folder; ``None`` when there is none any more.
            live: what was loaded.

        Returns:
            What to say of the files in a sentence, empty when their content is the same; and what
            was loaded, with the files as they look now when only their looks have changed.
        """
        if folder is None:
            return VANISHED, live
        snapshot = take_snapshot(folder)
        if snapshot.files == live.snapshot.files:
            self._changes.pop(version, None)
            return "", live
        if self._changes.get(version) != snapshot.digest:
            self._changes[version] = snapshot.digest
            # A manifest is cheap to read; the files of a foreign version may not be.
            with contextlib.suppress(RepositoryError, OSError):
                if has_manifest(folder) and content_digest(folder) == live.content:
                    return "", replace(live, snapshot=take_snapshot(folder))
        return CHANGED, live
