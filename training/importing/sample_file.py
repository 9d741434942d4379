"""Reads examples from a file: JSON lines, CSV or NumPy's, each row with the place it stands at."""

import csv
import json
import re
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.errors import UsageError
from training.importing.source_path import shown_name

_ENDINGS = ".csv, .jsonl, .json, .npy or .npz"
# What NumPy raises for files that are damaged, incomplete or encrypted, or announce more than fits.
_UNREADABLE = (
    ValueError,
    EOFError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)

# How ``.npy`` files begin, and ``.npz`` files, which are zip archives.
_MAGIC = (b"\x93NUMPY", b"PK")


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One example.

    Attributes:
        place: where it stands, for messages.
        value: an object of the inputs' or columns' values, or the value of the only input. Rows
            of NumPy's files are arrays if they hold several numbers: as lists, pictures would take
            eight times the room.
    """

    place: str
    value: Any


@dataclass(frozen=True, slots=True)
class Samples:
    """Examples as a file holds them.

    Attributes:
        name: the file's, for messages and notes.
        names: of the inputs or columns; empty where rows are bare values.
        rows: one or more.
        as_text: whether numbers and truth values are text still, as in CSV.
    """

    name: str
    names: tuple[str, ...]
    rows: tuple[SampleRow, ...]
    as_text: bool = False


def read_samples(source: Any) -> Samples:
    """Read examples.

    Args:
        source: a file's path; or an array of the only input's values, [N, ...], or a mapping of
            such arrays, or a list of rows.

    Raises:
        UsageError: it cannot be read, or holds no rows; the message names the place.
    """
    if not isinstance(source, Path | str):
        return _from_python(source)
    path = Path(source)
    readers = {
        ".csv": _csv,
        ".jsonl": _json_lines,
        ".ndjson": _json_lines,
        ".json": _json,
        ".npy": _numpy,
        ".npz": _numpy,
    }
    if path.suffix.lower() not in readers:
        raise UsageError(f"{path}: samples must be a file that ends in {_ENDINGS}.")
    try:
        samples = readers[path.suffix.lower()](path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: {error.reason} at byte {error.start}.") from error
    if not samples.rows:
        raise UsageError(f"{path} holds no rows.")
    return samples


def identifier(text: str) -> str:
    """Return a column's heading as a name that a signature and a query can have."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text.strip()).strip("_")
    return name if name[:1].isalpha() else f"x{name}"


def _csv(path: Path) -> Samples:
    rows: list[SampleRow] = []
    header: list[str] | None = None
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        try:
            for row in reader:
                if not any(cell.strip() for cell in row):
                    continue
                place = f"{path}, line {reader.line_num}"
                if header is None:
                    header = [cell.strip() for cell in row]
                    if all(_is_number(cell) for cell in row):
                        header = []  # What begins with numbers has no headings.
                    else:
                        _check_header(place, header)
                        continue
                if header and len(row) != len(header):
                    raise UsageError(f"{place}: expected {len(header)} values, not {len(row)}.")
                value = dict(zip(header, row, strict=True)) if header else list(row)
                rows.append(SampleRow(place, value))
        except csv.Error as error:
            raise UsageError(f"{path}, line {reader.line_num}: {error}.") from error
    return Samples(shown_name(path), tuple(header or ()), tuple(rows), as_text=True)


def _check_header(place: str, header: Sequence[str]) -> None:
    for number, name in enumerate(header, start=1):
        if not name:
            raise UsageError(f"{place}: column {number} has no heading.")
        if header.index(name) != number - 1:
            raise UsageError(f"{place}: the heading {name!r} stands twice.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json_lines(path: Path) -> Samples:
    def rows() -> Iterator[SampleRow]:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    place = f"{path}, line {number}"
                    yield SampleRow(place, _parsed(place, line))

    return _of_rows(shown_name(path), tuple(rows()))


def _json(path: Path) -> Samples:
    value = _parsed(str(path), path.read_text(encoding="utf-8-sig"))
    if isinstance(value, dict) and isinstance(value.get("instances"), list):
        value = value["instances"]
    if not isinstance(value, list):
        raise UsageError(f"{path}: expected a list of rows.")
    return _of_rows(
        shown_name(path), tuple(SampleRow(f"{path}, row {i}", v) for i, v in enumerate(value))
    )


def _parsed(place: str, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        reason = str(error) or "it is nested too deeply"
        raise UsageError(f"{place} is not JSON: {reason.rstrip('.')}.") from error


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:  # As of two equal headings, one would be dropped.
            raise ValueError(f"the key {key!r} stands twice")
        found[key] = value
    return found


def _of_rows(name: str, rows: tuple[SampleRow, ...]) -> Samples:
    """Take rows that are objects of the same keys, or none of which is an object.

    Raises:
        UsageError: they are neither.
    """
    first = rows[0].value if rows else None
    names = tuple(map(str, first)) if isinstance(first, Mapping) else ()
    for row in rows:
        if isinstance(row.value, Mapping) != bool(names):
            raise UsageError(f"{row.place}: expected {'an object' if names else 'a value'}.")
        if names and (odd := set(names) ^ set(row.value)):
            raise UsageError(
                f"{row.place}: expected the keys {', '.join(names)}; {min(odd)!r} is "
                f"{'missing' if min(odd) in names else 'unknown'}."
            )
    return Samples(name, names, rows)


def _numpy(path: Path) -> Samples:
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if not isinstance(loaded, np.ndarray):
                # Its arrays are only read now, and each may be damaged.
                with loaded as archive:
                    loaded = {key: archive[key] for key in archive.files}
    except _UNREADABLE as error:
        raise UsageError(f"{path} cannot be read: {_why_not_read(path, error)}.") from error
    for key, array in loaded.items() if isinstance(loaded, dict) else ():
        if not isinstance(array, np.ndarray):
            raise UsageError(f"{path}: {key!r} is not an array of NumPy's.")
    return _of_arrays(shown_name(path), str(path), loaded)


def _why_not_read(path: Path, error: BaseException) -> str:
    if "pickle" not in str(error):
        return _first_line(error).rstrip(".")
    # NumPy takes whatever it does not know for pickled objects.
    with path.open("rb") as file:
        is_known = file.read(len(_MAGIC[0])).startswith(_MAGIC)
    return "it holds Python objects" if is_known else "it is not a file of NumPy's"


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _from_python(source: Any) -> Samples:
    if isinstance(source, Mapping):
        source = {str(key): _array(value) for key, value in source.items()}
    elif isinstance(source, list | tuple) and source and isinstance(source[0], Mapping):
        return _of_rows(
            "samples", tuple(SampleRow(f"samples[{i}]", row) for i, row in enumerate(source))
        )
    samples = _of_arrays(
        "samples", "samples", source if isinstance(source, Mapping) else _array(source)
    )
    if not samples.rows:
        raise UsageError("samples holds no rows.")
    return samples


def _array(rows: Any) -> npt.NDArray[Any]:
    """Return rows as an array; of objects where they are not all alike, as NumPy requires."""
    try:
        return np.asarray(rows)
    except ValueError:
        array = np.empty(len(rows), dtype=object)
        for number, row in enumerate(rows):
            array[number] = row.tolist() if isinstance(row, np.ndarray) else row
        return array


def _of_arrays(name: str, place: str, value: Any) -> Samples:
    """Take an array of rows, or several by name with equally many rows.

    Raises:
        UsageError: they have no rows, or differ in how many they have.
    """
    arrays: Mapping[str, Any] = value if isinstance(value, Mapping) else {"": value}
    counts = {key: len(array) if array.ndim else 0 for key, array in arrays.items()}
    if len(set(counts.values())) > 1:
        lengths = ", ".join(f"{key}: {count}" for key, count in counts.items())
        raise UsageError(f"{place}: arrays must have equally many rows; they have {lengths}.")
    items = {key: _items(array) for key, array in arrays.items()}
    rows = []
    for row in range(next(iter(counts.values()), 0)):
        values = {key: each[row] for key, each in items.items()}
        at = f"{place}, row {row}"
        rows.append(SampleRow(at, values if isinstance(value, Mapping) else values[""]))
    return Samples(name, tuple(arrays) if isinstance(value, Mapping) else (), tuple(rows))


def _items(array: npt.NDArray[Any]) -> Any:
    """Return an array's rows: arrays of several numbers, and all else as Python has it."""
    return array if array.ndim > 1 and array.dtype.kind in "iuf" else array.tolist()
