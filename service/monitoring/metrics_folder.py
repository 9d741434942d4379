"""The folder in which the processes of one service keep what they have counted.

Each process has files of its own there, in prometheus_client's format: ``counter_<owner>.db``,
``gauge_max_<owner>.db`` and so on. It holds a lock on each for as long as it lives; the kernel
drops the locks however it ends, so nothing depends on a process id, which may be used again and
means nothing in another container. Files whose owners have ended are folded into one, ``ended``,
so that the folder does not grow with every worker that ever ran.

``ended`` is replaced as a whole, carries a number that only grows, and names the files that it
includes. That makes each change one step for those who read without a lock: they read ``ended``,
then the files that it does not include, and begin again if ``ended`` has another number by then.
A live process hands values over by the same step: it prepares a new file without them, which
counts from the next number on (``counter_<owner>+<number>.db``), and the new ``ended`` includes
the values and names the old file.
"""

import contextlib
import fcntl
import math
import os
import struct
import time
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import orjson

from service.monitoring.metric_file_reader import read_values
from service.monitoring.series_groups import Group, group_of, is_key
from service.repository.atomic_files import write_atomically

Value = tuple[float, float]  # What was counted, and when it was set: 0 unless that matters.
Part = tuple[str, Iterable[tuple[str, float, float]]]  # A kind, and its keys with their values.

_ENDED = "ended"
_LOCK = ".lock"
# Of a file that is not yet locked, or not yet whole.
NEW = ".new-"
# How often a read is begun again, before it keeps those who change the folder out.
_TRIES = 10
_LOCK_S = 1.0
# Within this time a new file is locked.
_LOCKED_S = 60.0
_STEP_S = 0.005
# How long totals are kept of a group that no process has: a version may come back, after the death
# of all workers or by a rollback.
_KEPT_S = 300.0
# Of one model, the most versions that are kept so.
_MOST_KEPT = 10


@dataclass(frozen=True, slots=True)
class Ended:
    """What processes that have ended have counted.

    Attributes:
        number: grows with each change.
        files: the names of the files that are included; some may still be there.
        unheld: since when no process has had a group, in seconds of the system-wide monotonic
            clock.
        values: the values by kind and key.
    """

    number: int = 0
    files: frozenset[str] = frozenset()
    unheld: Mapping[Group, float] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)


class Change:
    """A change of ``ended`` that is being prepared, under the folder's lock."""

    def __init__(self, folder: Path) -> None:
        """A change of what is there; the remains of an earlier change are removed."""
        self._folder = folder
        self._ended = read_ended(folder)
        self._files: set[str] = set()
        self._is_counted = False
        self._ending: set[Group] = set()
        self._values: dict[str, dict[str, Value]] = {
            kind: dict(values) for kind, values in self._ended.values.items()
        }
        self.number = self._ended.number + 1
        for file in folder.glob("*.db"):
            if file.name in self._ended.files or _birth(file.name) > self._ended.number:
                file.unlink(missing_ok=True)
        for file in folder.glob(f"{NEW}*"):
            with contextlib.suppress(FileNotFoundError):  # It has its name by now.
                # Made just now, it may not be locked yet.
                if file.stat().st_mtime + _LOCKED_S < time.time() and is_ownerless(file):
                    file.unlink()

    def absorb(self, name: str, values: Iterable[tuple[str, float, float]]) -> None:
        """Include values, as those of a file which from now on does not count any more.

        Args:
            name: the file's name.
            values: key, value and timestamp each.
        """
        self._files.add(name)
        kind = _kind(name)
        if is_live(kind):
            return
        known = self._values.setdefault(kind, {})
        for key, value, timestamp in values:
            old = known.get(key)
            new = (value, timestamp)
            known[key] = new if old is None else merged(how(kind), old, new)

    def end(self, groups: Iterable[Group]) -> None:
        """Remove groups once no process has had them for a while.

        Versions are without that. But a key may be in force though no living process has counted
        it yet.
        """
        self._ending.update(groups)

    def count(self, key: str, amount: float) -> None:
        """Add to a counter, on behalf of a process that has no files."""
        known = self._values.setdefault("counter", {})
        known[key] = merged("sum", known.get(key, (0.0, 0.0)), (amount, 0.0))
        self._is_counted = True

    def absorb_dead(self) -> None:
        """Include the files of processes that have ended; what lives with them goes at once."""
        for file in self._folder.glob("*.db"):
            if file.name in self._files or not is_ownerless(file):
                continue
            if is_live(_kind(file.name)):
                file.unlink(missing_ok=True)
            else:
                self.absorb(file.name, _values_of(file))

    def is_due(self) -> bool:
        """Whether there is anything to change."""
        now = time.monotonic()
        return (
            bool(self._files)
            or self._is_counted
            or any(since + _KEPT_S < now for since in self._ended.unheld.values())
        )

    def held(self, *, without: Collection[str] = ()) -> set[Group]:
        """Return the groups that files of living processes count for.

        Args:
            without: names of files that are left out.
        """
        return {
            group
            for file in self._folder.glob("*.db")
            if file.name not in self._files and file.name not in without
            for key, _, _ in _values_of(file)
            if (group := _group(key)) is not None
        }

    def commit(self, held: Set[Group]) -> bool:
        """Put the change in force; ``False``, with nothing changed, if there is no room for it.

        Args:
            held: the groups that living processes count for from now on.
        """
        unheld = self._forget(held)
        content = {
            "files": sorted(self._files),
            "unheld": [[*group, since] for group, since in unheld.items()],
            "values": {
                kind: {key: [_number(value), at] for key, (value, at) in values.items()}
                for kind, values in self._values.items()
            },
        }
        # Packed to a tenth, so that it fits into what is left on a full file system.
        packed = zlib.compress(orjson.dumps(content), level=1)
        data = b"%d\n%b" % (self.number, packed)
        try:
            write_atomically(self._folder / _ENDED, data, durable=False, exclusive=True)
        except OSError:
            return False
        for name in self._files:
            (self._folder / name).unlink(missing_ok=True)
        return True

    def _forget(self, held: Set[Group]) -> dict[Group, float]:
        """Drop groups that no process has had for long; return since when others are unheld."""
        totals = {_group(key) for values in self._values.values() for key in values}
        now = time.monotonic()
        unheld = {
            group: self._ended.unheld.get(group, now)
            for group in totals - held
            if group is not None
            and (not is_key(group) or group in self._ending or group in self._ended.unheld)
        }
        gone = set()
        later = Counter[str]()
        for group, since in sorted(unheld.items(), key=lambda item: -item[1]):
            later[group[0]] += 1
            is_one_of_many = not is_key(group) and later[group[0]] > _MOST_KEPT
            if since + _KEPT_S < now or is_one_of_many:
                gone.add(group)
        if gone:
            # All that was counted of them is here, so that they vanish at one moment; should one
            # come back, it counts from nothing, as after a restart.
            self._values = {
                kind: {key: value for key, value in values.items() if _group(key) not in gone}
                for kind, values in self._values.items()
            }
        return {group: since for group, since in unheld.items() if group not in gone}


@contextlib.contextmanager
def changing(folder: Path, *, wait_s: float = _LOCK_S) -> Iterator[Change | None]:
    """Hold the folder's lock during a change; yield ``None`` if another process holds it.

    Args:
        folder: the folder.
        wait_s: how long to wait for the lock. A process may be stopped while it holds it.

    Raises:
        OSError: the folder cannot be written.
    """
    with _locked(folder, wait_s) as locked:
        yield Change(folder) if locked else None


def fold_ended_processes(
    folder: Path, *, wait_s: float = _LOCK_S, counted: Mapping[str, float] | None = None
) -> bool:
    """Fold the files of processes that have ended into one.

    Args:
        folder: the folder.
        wait_s: how long to wait for others who change it.
        counted: what to add to counters, by their keys.

    Returns:
        Whether that is done; without room, or while another process does it, it must be tried
        again.
    """
    try:
        with changing(folder, wait_s=wait_s) as change:
            if change is None:
                return False
            change.absorb_dead()
            for key, amount in (counted or {}).items():
                change.count(key, amount)
            return not change.is_due() or change.commit(change.held())
    except OSError:
        return False


def read_totals(folder: Path) -> list[Part]:
    """Return what all processes, also those that have ended, have counted at one moment.

    A value is there once in each process's part; merging them (``merged``) is the caller's.
    """
    for _ in range(_TRIES):
        ended, parts = _read_once(folder)
        if parts is not None and _number_of(folder) == ended.number:
            return parts
    with _locked(folder, _LOCK_S):
        return _read_once(folder)[1] or []


def read_ended(folder: Path) -> Ended:
    """Return what processes that have ended have counted; nothing without such a file."""
    try:
        return _parsed((folder / _ENDED).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return Ended()


def how(kind: str) -> str:
    """Return how values of a kind are merged: ``sum``, ``max``, ``min`` or ``mostrecent``."""
    _, _, mode = kind.partition("_")
    return mode.removeprefix("live") or "sum"


def is_live(kind: str) -> bool:
    """Whether values of a kind end with their process."""
    return kind.partition("_")[2].startswith("live")


def merged(how: str, one: Value, other: Value) -> Value:
    """Return two processes' values of one key as one."""
    match how:
        case "max":
            return max(one, other)
        case "min":
            return min(one, other)
        case "mostrecent":
            return max(one, other, key=lambda valued: valued[1])
        case _:
            return (one[0] + other[0], other[1])


def _read_once(folder: Path) -> tuple[Ended, list[Part] | None]:
    """Return ``ended``, and all parts; ``None`` if one has vanished meanwhile."""
    ended = read_ended(folder)
    parts: list[Part] = [
        (kind, [(key, *value) for key, value in values.items()])
        for kind, values in ended.values.items()
    ]
    for file in sorted(folder.glob("*.db")):
        if file.name in ended.files or _birth(file.name) > ended.number:
            continue
        try:
            parts.append((_kind(file.name), _values_of(file)))
        except FileNotFoundError:
            return ended, None
    return ended, parts


def _values_of(file: Path) -> Iterable[tuple[str, float, float]]:
    try:
        return read_values(file)
    except (ValueError, struct.error):
        return []  # None of ours: those are whole before they have their names.


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else repr(value)


def _number_of(folder: Path) -> int:
    try:
        with (folder / _ENDED).open("rb") as file:
            return int(file.readline())
    except (FileNotFoundError, NotADirectoryError):
        return 0


@lru_cache(2)
def _parsed(data: bytes) -> Ended:
    number, _, content = data.partition(b"\n")
    value = orjson.loads(zlib.decompress(content))
    return Ended(
        number=int(number),
        files=frozenset(value["files"]),
        unheld={(first, second): since for first, second, since in value["unheld"]},
        values={
            kind: {key: (float(pair[0]), pair[1]) for key, pair in values.items()}
            for kind, values in value["values"].items()
        },
    )


def _group(key: str) -> Group | None:
    """Return what a value counts for and may outlive; ``None`` if it is for nothing that ends."""
    return group_of(orjson.loads(key)[2])


def _kind(name: str) -> str:
    return name.rpartition("_")[0]


def _birth(name: str) -> int:
    """Return the number of ``ended`` from which on a file counts."""
    number = name.removesuffix(".db").partition("+")[2]
    return int(number) if number.isdecimal() else 0


def is_ownerless(file: Path) -> bool:
    """Whether nobody holds a file's lock, which means that its owner has ended."""
    try:
        handle = os.open(file, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


@contextlib.contextmanager
def _locked(folder: Path, wait_s: float) -> Iterator[bool]:
    """Hold the folder's lock, unless another process does for longer than ``wait_s``."""
    handle = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        yield _lock(handle, time.monotonic() + wait_s)
    finally:
        os.close(handle)


def _lock(handle: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_STEP_S)
