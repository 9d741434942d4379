"""Reads files of metric values.

The format is that of prometheus_client's ``MmapedDict``: the bytes used, then keys with their
values and timestamps. A key stays where it is for as long as its file exists, and further ones
follow it. So each is read once; after that only numbers are.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_INTEGER = struct.Struct("=i")
_DOUBLE = 8


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the keys of a file are.

    Attributes:
        keys: its keys.
        places: for each, the place of its value, counted in doubles; its timestamp comes next.
        end: where further keys begin, in bytes.
    """

    keys: list[str]
    places: list[int]
    end: int


_layouts: dict[Path, _Layout] = {}


def read_values(file: Path) -> Iterable[tuple[str, float, float]]:
    """Return the keys in a file, each with its value and timestamp.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError, struct.error: it is not such a file.
    """
    data = file.read_bytes()
    (used,) = _INTEGER.unpack_from(data)
    layout = _layouts.get(file)
    if layout is None or layout.end != used:
        if layout is None:
            _forget_removed()
        layout = _layouts[file] = _read_layout(data, used, layout)
    numbers = memoryview(data)[: layout.end].cast("d")
    values = [numbers[place] for place in layout.places]
    timestamps = [numbers[place + 1] for place in layout.places]
    return zip(layout.keys, values, timestamps, strict=True)


def _forget_removed() -> None:
    """Forget files that are no longer there: workers and versions come and go."""
    for known in tuple(_layouts):
        if not known.exists():
            _layouts.pop(known, None)


def _read_layout(data: bytes, used: int, known: _Layout | None) -> _Layout:
    """Read the keys behind those that are known, if these are still there."""
    keys, places, at = [], [], _DOUBLE
    if known is not None and known.end <= used:
        keys, places, at = list(known.keys), list(known.places), known.end
    if used > len(data) or used % _DOUBLE:
        raise ValueError("More is used than there is.")
    while at < used:
        (length,) = _INTEGER.unpack_from(data, at)
        start = at + _INTEGER.size
        end = start + length
        # Padded with at least one blank to a multiple of eight.
        place = (end // _DOUBLE + 1) * _DOUBLE
        if length < 0 or place + 2 * _DOUBLE > used:
            raise ValueError("A key reaches beyond what is used.")
        keys.append(data[start:end].decode())
        places.append(place // _DOUBLE)
        at = place + 2 * _DOUBLE
    return _Layout(keys, places, at)
