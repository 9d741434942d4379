"""Where a process keeps the values of its metrics: in files that every process can read.

prometheus_client makes each value by calling ``prometheus_client.values.ValueClass``, and brings a
class that maps files without having room for them: on a full file system the process that touches
such a page dies by SIGBUS, as do all that replace it. The values here are kept in the same format
(``service.monitoring.metrics_folder``), but their room is allocated before it is mapped. Without
room they are kept in memory, and written when there is room again.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.monitoring.logs import log
from service.monitoring.mapped_metric_file import MappedFile, NoRoomError, discard
from service.monitoring.metrics_folder import Change, changing
from service.monitoring.prometheus_internals import key_of, make_values_by, value_in_memory
from service.monitoring.series_groups import Group, group_of
from service.monitoring.uncounted_processes import MissingMark

MULTIPROCESS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"

# Between tries to get room.
_RETRY_S = 2.0
# How long to wait for others who change the folder.
_HAND_OVER_S = 0.2


@dataclass(frozen=True, slots=True)
class _Series:
    """What a value belongs to: all of a histogram's have the same."""

    metric: str
    labels: tuple[tuple[str, str], ...]

    @property
    def group(self) -> Group | None:
        """What it counts for and may outlive, if anything."""
        return group_of(dict(self.labels))


class SharedValue:
    """A number of this process that all processes can read.

    Attributes:
        kind: how values of several processes are merged, such as ``counter`` or ``gauge_max``.
        key: what it counts, as the file names it.
        series: what it belongs to.
    """

    __slots__ = ("_file", "_place", "_store", "_timestamp", "_value", "key", "kind", "series")

    def __init__(self, store: "ValueStore", kind: str, key: str, series: "_Series") -> None:
        """A value of 0; the store gives it its place."""
        self.kind = kind
        self.key = key
        self.series = series
        self._store = store
        self._value = self._timestamp = 0.0
        self._file: MappedFile | None = None
        self._place = 0

    def inc(self, amount: float) -> None:
        """Add to the value."""
        store = self._store
        with store.lock:
            self._value += amount
            self._timestamp = 0.0
            if self._file is not None:
                self._file.write(self._place, self._value, 0.0)
        if self._file is None:
            store.retry()

    def set(self, value: float, timestamp: float | None = None) -> None:
        """Set the value."""
        store = self._store
        with store.lock:
            self._value = value
            # Which of several processes set it last, no clock that is set must say.
            self._timestamp = time.monotonic() if timestamp else 0.0
            if self._file is not None:
                self._file.write(self._place, value, self._timestamp)
        if self._file is None:
            store.retry()

    def get(self) -> float:
        """Return the value."""
        return self._value

    def set_exemplar(self, exemplar: Any) -> None:
        """Do nothing: the files have no room for exemplars."""

    def get_exemplar(self) -> None:
        """Return ``None``: there are none."""

    def entry(self) -> tuple[str, float, float]:
        """Return key, value and timestamp."""
        return self.key, self._value, self._timestamp

    def put(self, file: MappedFile | None, place: int = 0) -> None:
        """Say where the value is kept from now on; under the store's lock."""
        self._file, self._place = file, place

    def begin_anew(self) -> None:
        """Start from 0 in a process that was forked."""
        self._value = self._timestamp = 0.0
        self._file = None

    @property
    def is_missing(self) -> bool:
        """Whether it is in no file."""
        return self._file is None


class ValueStore:
    """All values of this process, and its files in one folder.

    Attributes:
        lock: held while a value changes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mark = MissingMark(folder)
        self.lock = threading.Lock()
        self._files: dict[str, MappedFile] = {}
        # An ordered set; so the values of a series come one after the other.
        self._values: dict[SharedValue, None] = {}
        self._missing: dict[SharedValue, None] = {}
        # By kind, the series to which values were added last; and the kinds that have no room.
        self._last: dict[str, _Series] = {}
        self._full: set[str] = set()
        self._reported = 0
        self._retry_at = 0.0

    @property
    def missing(self) -> int:
        """How many values are in no file, and so not in what other processes show."""
        return len(self._missing)

    def make(
        self,
        kind: str,
        metric: str,
        name: str,
        labels: Sequence[str],
        values: Sequence[str],
        text: str,
    ) -> SharedValue:
        """Make a value, as ``prometheus_client.values.ValueClass`` is called for one."""
        key = key_of(metric, name, labels, values, text)
        named = tuple(pair for pair in zip(labels, values, strict=True) if pair[0] != "le")
        value = SharedValue(self, kind, key, _Series(metric, named))
        with self.lock:
            self._values[value] = None
            self._place(value)
        self._report()
        return value

    def retry(self) -> None:
        """Try to write what is in no file, if it was not tried just now."""
        if not self._missing or time.monotonic() < self._retry_at:
            return
        # It may have been cleaned away.
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
        with self.lock:
            missing, self._missing = self._missing, {}
            self._full.clear()
            for value in missing:
                self._place(value)
        self._report()

    def hand_over(self, groups: Iterable[Group]) -> bool:
        """Let the values of versions, or of keys, end as those of a process that has ended.

        Args:
            groups: which.

        Returns:
            Whether that is done; it is not while others change the folder, or without room.
        """
        try:
            with changing(self.folder, wait_s=_HAND_OVER_S) as change:
                if change is None:
                    return False
                others = change.held(without={file.path.name for file in self._files.values()})
                change.end(ended := frozenset(groups))
                with self.lock:
                    return self._hand_over(change, ended, others)
        except (OSError, NoRoomError):
            return False

    def _hand_over(self, change: Change, groups: Collection[Group], others: set[Group]) -> bool:
        ended = {value for value in self._values if value.series.group in groups}
        fresh = self._without(ended, change.number)
        for kind in fresh:
            entries = [v.entry() for v in ended if v.kind == kind and not v.is_missing]
            change.absorb(self._files[kind].path.name, entries)
        own = {value.series.group for value in self._values if value not in ended}
        if not change.commit(others | {held for held in own if held is not None}):
            discard(file for file, _ in fresh.values())
            return False
        for kind, (file, places) in fresh.items():
            for value, place in places.items():
                value.put(file, place)
            self._files[kind].close()
            self._files[kind] = file
            self._last.pop(kind, None)
        for value in ended:
            value.put(None)
            self._values.pop(value, None)
            self._missing.pop(value, None)
        return True

    def begin_anew(self) -> None:
        """Forget the parent's files in a process that was forked."""
        self.lock = threading.Lock()
        for file in self._files.values():
            file.close()
        self._files = {}
        self._mark.forget()
        for value in self._values:
            value.begin_anew()
        self._missing = dict.fromkeys(self._values)
        self._last, self._full = {}, set()
        self._reported, self._retry_at = 0, 0.0

    def _place(self, value: SharedValue) -> None:
        """Write a value into a file; under the lock."""
        kind = value.kind
        try:
            if kind in self._full:
                raise NoRoomError
            if kind not in self._files:
                self._files[kind] = MappedFile(self.folder, kind)
            file = self._files[kind]
            first = self._last.get(kind) != value.series
            value.put(file, file.add(*value.entry(), first=first))
            self._last[kind] = value.series
        except NoRoomError:
            self._full.add(kind)
            self._missing[value] = None
            self._retry_at = time.monotonic() + _RETRY_S

    def _without(
        self, ended: Collection[SharedValue], number: int
    ) -> dict[str, tuple[MappedFile, dict[SharedValue, int]]]:
        """Return new files of those kinds that have values in ``ended``, without these."""
        fresh: dict[str, tuple[MappedFile, dict[SharedValue, int]]] = {}
        try:
            for kind in {v.kind for v in ended if not v.is_missing}:
                file = MappedFile(self.folder, kind, birth=number)
                places: dict[SharedValue, int] = {}
                fresh[kind] = (file, places)
                for value in self._values:
                    if value.kind == kind and value not in ended and not value.is_missing:
                        places[value] = file.add(*value.entry(), first=True)
        except NoRoomError:
            discard(file for file, _ in fresh.values())
            raise
        return fresh

    def _report(self) -> None:
        """Say how much is missing, and log that there is no room, or that there is again, once."""
        count, before = len(self._missing), self._reported
        if count == before:
            return
        self._reported = count
        self._mark.show(is_missing=count > 0)
        if count and not before:
            log(
                logging.ERROR,
                "There is no room for metrics: what is counted stays in memory, and /metrics is "
                "incomplete until there is.",
                folder=str(self.folder),
            )
        elif not count:
            log(logging.INFO, "There is room for metrics again.", folder=str(self.folder))


_stores: dict[Path, ValueStore] = {}
_stores_lock = threading.Lock()


def store() -> ValueStore | None:
    """Return this process's values in the folder that the environment names; else ``None``."""
    name = os.environ.get(MULTIPROCESS_DIRECTORY)
    if not name:
        return None
    folder = Path(name)
    with _stores_lock:
        if folder not in _stores:
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
            _stores[folder] = ValueStore(folder)
        return _stores[folder]


def install() -> None:
    """Let prometheus_client make its values here."""
    make_values_by(_make_value)


def _make_value(
    kind: str,
    metric: str,
    name: str,
    labels: Sequence[str],
    values: Sequence[str],
    text: str,
    multiprocess_mode: str = "",
    **others: Any,
) -> Any:
    shared = store()
    if shared is None:
        return value_in_memory(kind, metric, name, labels, values, text, **others)
    if multiprocess_mode:
        kind = f"{kind}_{multiprocess_mode}"
    return shared.make(kind, metric, name, labels, values, text)


def _after_fork() -> None:
    global _stores_lock
    _stores_lock = threading.Lock()
    for shared in _stores.values():
        shared.begin_anew()


os.register_at_fork(after_in_child=_after_fork)
