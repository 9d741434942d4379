"""A snapshot of a version's folder: whether it is complete, and whether it has changed."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from service.repository.folder_walk import FolderTooLargeError, walk
from service.repository.manifest import MANIFEST
from service.repository.model_card import CARD
from service.repository.unserved_entries import GRAPHS, printable, why_no_graph


@dataclass(frozen=True, slots=True)
class DirectorySnapshot:
    """A version's folder at one moment; equal to another when nothing in it has changed.

    Attributes:
        files: name, size, time of change and inode of every entry. The time is the inode's,
            which a copy cannot carry over from the original as it can that of the content; it is
            compared with itself alone, since it may come from another machine's clock.
        blocked: what keeps a version without a manifest from being read, in a sentence: a pipe, a
            folder that this user may not read, or more than is looked at; else empty.
        waiting_for: what a version without a manifest waits for, in a sentence.
    """

    files: frozenset[tuple[str, int, int, int]]
    blocked: str
    waiting_for: str

    @property
    def needs_quiet(self) -> bool:
        """Whether only time shows that it is complete, because nothing lists its files."""
        return not self._has(MANIFEST)

    def complete(self, unchanged_s: float, quiet_s: float) -> bool:
        """Whether it may be loaded: with a manifest at once, else when it has been left alone.

        Args:
            unchanged_s: the seconds in which it has not changed.
            quiet_s: how many they must be.
        """
        if self._has(MANIFEST):
            return True
        if not self.blocked and (self._has(CARD) or not any(map(self._has, GRAPHS))):
            return False
        # What is blocked is tried as well, so that it is refused and everybody sees why.
        return unchanged_s >= quiet_s

    @property
    def digest(self) -> str:
        """The same for two looks exactly when nothing has changed between them."""
        return hashlib.sha256(repr(sorted(self.files)).encode()).hexdigest()

    def _has(self, name: str) -> bool:
        return any(entry[0] == name for entry in self.files)


def take_snapshot(folder: Path) -> DirectorySnapshot:
    """Return how ``folder`` looks now; what cannot be seen is left out."""
    files = set()
    blocked: list[str] = []

    def note(error: OSError) -> None:
        place = Path(error.filename or folder).relative_to(folder).as_posix()
        what = "Its folder" if place == "." else f"{printable(place)}/"
        blocked.append(f"{what} cannot be read: {error.strerror or error}.")

    try:
        for parent, folders, names in walk(folder, onerror=note):
            inner = parent.relative_to(folder).as_posix()
            prefix = "" if inner == "." else f"{inner}/"
            for name in (*folders, *names):
                # A path of its own for each entry would cost more than looking at it.
                path = f"{parent}/{name}"
                try:
                    status = os.lstat(path)
                except OSError:
                    continue
                relative = f"{prefix}{name}"
                files.add((relative, status.st_size, status.st_ctime_ns, status.st_ino))
                if not _can_be_read(path, status.st_mode):
                    blocked.append(f"{printable(relative)} is neither file nor folder; remove it.")
    except FolderTooLargeError as error:
        blocked.append(str(error))
    found = frozenset(files)
    return DirectorySnapshot(found, min(blocked, default=""), _waiting_for(folder, found, blocked))


def _waiting_for(
    folder: Path, files: frozenset[tuple[str, int, int, int]], blocked: list[str]
) -> str:
    names = {entry[0] for entry in files}
    if blocked:
        return min(blocked)
    if MANIFEST in names:
        return ""
    if CARD in names:
        return f"It waits for {MANIFEST}, which a version with a card always has."
    if not names & set(GRAPHS):
        return why_no_graph(folder) or f"It waits for {GRAPHS[0]}."
    return "It waits until its files have not changed for some seconds."


def _can_be_read(path: str, mode: int) -> bool:
    """Whether opening it ends: reading a pipe without a writer never does."""
    if stat.S_ISLNK(mode):
        try:
            mode = Path(path).stat().st_mode
        except OSError:
            return True  # A broken link; TensorFlow reports it if it needs the file.
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
