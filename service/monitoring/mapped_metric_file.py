"""One process's metrics of one kind, in a file that is mapped into its memory.

The format is that of prometheus_client's ``MmapedDict``: the bytes used, then keys with their
values and timestamps. The room of a file is allocated before it is mapped: on a full file system a
process that touches a page without room dies by SIGBUS.
"""

import fcntl
import mmap
import os
import secrets
import struct
from collections.abc import Iterable
from pathlib import Path

from service.monitoring.metrics_folder import NEW

# Files grow by so much at a time, and are allocated to the last byte.
_STEP = 16 * 1024
# What must be free for the first value of a series to be written, so that its others, such as a
# histogram's buckets, find room as well: a histogram is never written in part.
_HEADROOM = {"histogram": 12 * 1024}
_OTHER_HEADROOM = 1024
# What is left to others on the file system: to the workers' agreement, and to folding.
_LEFT = 1 << 20
_LEFT_SHARE = 1 / 8

_USED = struct.Struct("=ii")
_PAIR = struct.Struct("=dd")


class NoRoomError(Exception):
    """There is no room for a file, or for more of one."""


class MappedFile:
    """One process's values of one kind, mapped into its memory."""

    def __init__(self, folder: Path, kind: str, *, birth: int = 0) -> None:
        """A new file without values.

        Args:
            folder: where.
            kind: of its values, such as ``counter`` or ``gauge_max``.
            birth: the number from which on it counts.

        Raises:
            NoRoomError: there is no room for it.
        """
        owner = f"{os.getpid()}-{secrets.token_hex(4)}" + (f"+{birth}" if birth else "")
        self.path = folder / f"{kind}_{owner}.db"
        self._headroom = _HEADROOM.get(kind, _OTHER_HEADROOM)
        self._map: mmap.mmap | None = None
        self._capacity = 0
        self._used = _USED.size
        new = folder / f"{NEW}{owner}"
        try:
            self._handle = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise NoRoomError from error
        try:
            # Locked before it has a name by which others would take it for that of a dead process.
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            self._grow()
            self._write_used()
            new.rename(self.path)
        except (OSError, NoRoomError) as error:
            new.unlink(missing_ok=True)
            self.close()
            raise NoRoomError from error

    def add(self, key: str, value: float, timestamp: float, *, first: bool) -> int:
        """Write a new key with its value, and return the value's place.

        Args:
            key: the key.
            value: the value.
            timestamp: when it was set.
            first: whether it is the first of its series.

        Raises:
            NoRoomError: there is no room for it.
        """
        text = key.encode()
        text += b" " * (8 - (len(text) + 4) % 8)
        entry = struct.pack(f"=i{len(text)}s", len(key.encode()), text)
        end = self._used + len(entry) + _PAIR.size
        while end + self._headroom > self._capacity:
            try:
                self._grow()
            except (OSError, NoRoomError) as error:
                if first or end > self._capacity:
                    raise NoRoomError from error
                break
        assert self._map is not None
        self._map[self._used : end] = entry + _PAIR.pack(value, timestamp)
        self._used = end
        # Readers go by this: it grows when the entry is whole.
        self._write_used()
        return end - _PAIR.size

    def write(self, place: int, value: float, timestamp: float) -> None:
        """Write a value where ``add`` has put it."""
        self._map[place : place + 16] = _PAIR.pack(value, timestamp)  # type: ignore[index]

    def close(self) -> None:
        """Close the file, and release its lock."""
        if self._map is not None:
            self._map.close()
        self._map = None
        os.close(self._handle)

    def _write_used(self) -> None:
        assert self._map is not None
        self._map[:4] = _USED.pack(self._used, 0)[:4]

    def _grow(self) -> None:
        stat = os.fstatvfs(self._handle)
        left = min(_LEFT, stat.f_blocks * stat.f_frsize * _LEFT_SHARE)
        # File systems without a bound have no blocks.
        if stat.f_blocks and stat.f_bavail * stat.f_frsize < _STEP + left:
            raise NoRoomError
        _allocate(self._handle, self._capacity, _STEP)
        grown = mmap.mmap(self._handle, self._capacity + _STEP)
        if self._map is not None:
            self._map.close()
        self._map = grown
        self._capacity += _STEP


def _allocate(handle: int, start: int, size: int) -> None:
    """Allocate a part of a file; where the system has no call for it, by writing zeros."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, start, size)
    elif os.pwrite(handle, bytes(size), start) < size:
        raise NoRoomError


def discard(files: Iterable[MappedFile]) -> None:
    """Remove files that are not needed after all."""
    for file in files:
        file.path.unlink(missing_ok=True)
        file.close()
