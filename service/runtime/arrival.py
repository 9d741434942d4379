"""How a version's folder looks from outside: whether it is whole, and whether it has changed."""

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from service.repository.card import CARD
from service.repository.manifest import MANIFEST

_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A version's folder at one moment; equal to another when nothing in it has changed.

    Attributes:
        files: name, size, time of change and inode of every entry.
        changed_at: when an entry last changed, in seconds since the epoch. This is the inode's
            time, which a copy cannot carry over from the original as it can that of the content.
    """

    files: frozenset[tuple[str, int, int, int]]
    changed_at: float

    def complete(self, quiet_s: float) -> bool:
        """Whether it may be loaded: with a manifest at once, else when it has been left alone."""
        if self._has(MANIFEST):
            return True
        if self._has(CARD) or not any(map(self._has, _GRAPHS)):
            return False
        return time.time() - self.changed_at >= quiet_s

    @property
    def digest(self) -> str:
        """The same for two looks exactly when nothing has changed between them."""
        return hashlib.sha256(repr(sorted(self.files)).encode()).hexdigest()

    @property
    def waiting_for(self) -> str:
        """What a version without a manifest waits for, in a sentence."""
        if self._has(CARD):
            return f"It waits for {MANIFEST}, which a version with a card always has."
        if not any(map(self._has, _GRAPHS)):
            return f"It waits for {_GRAPHS[0]}."
        return "It waits until its files have been left alone for some seconds."

    def _has(self, name: str) -> bool:
        return any(entry[0] == name for entry in self.files)


def look_at(folder: Path) -> Arrival:
    """Return how ``folder`` looks now; what cannot be seen is left out."""
    files = set()
    changed_at = 0.0
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent, name)
            try:
                status = path.lstat()
            except OSError:
                continue
            relative = path.relative_to(folder).as_posix()
            files.add((relative, status.st_size, status.st_ctime_ns, status.st_ino))
            changed_at = max(changed_at, status.st_ctime)
    return Arrival(frozenset(files), changed_at)
