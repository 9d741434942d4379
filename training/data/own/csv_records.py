"""The rows of a CSV file (RFC 4180, UTF-8) by the names in its header, each with its line."""

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.data.own.bad_rows import BadRows
from training.errors import TrainingError

# What "surrogateescape" makes of bytes that are not UTF-8.
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")


def csv_records(
    path: Path, columns: Sequence[str], bad: BadRows, *, optional: Sequence[str] = ()
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the place and the values of each row that is whole; empty lines are passed over.

    Args:
        path: the file; its first row names the columns, in any order.
        columns: those that there must be.
        optional: those that are read where they are there.
        bad: gathers the rows with another number of values than the header, with bytes that are
            not UTF-8, and what a stray quotation mark has swallowed.

    Raises:
        TrainingError: the header lacks a column, or names one that is read twice.
    """
    # Bytes that are not UTF-8 become lone surrogates, which spoil their own row alone.
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        rows = csv.reader(file, strict=True)
        header: list[str] | None = None
        while True:
            before = rows.line_num
            try:
                row = next(rows)
            except StopIteration:
                break
            except csv.Error as error:
                # A mark that is never closed swallows lines that may have been good: all count.
                problem = (
                    f"a quotation mark is not closed, or is in the middle of a value ({error})"
                )
                if "field limit" in str(error):
                    problem = (
                        f"a value has over {csv.field_size_limit():,} characters, or a quotation "
                        "mark is not closed"
                    )
                bad.add(_place(before, rows.line_num), problem, rows.line_num - before)
                continue
            if not row:
                continue
            place = _place(before, rows.line_num)
            if header is None:
                header = [_as_read(name) for name in row]
                _check_header(path, header, columns)
                _check_once(path, row, header, (*columns, *optional))
            elif any(map(_NOT_UTF_8.search, row)):
                bad.add(place, "is not UTF-8")
            elif len(row) != len(header):
                bad.add(place, f"has {len(row)} values, the header {len(header)}")
            else:
                yield place, dict(zip(header, row, strict=True))
        _check_header(path, header or [], columns)


def _as_read(name: str) -> str:
    """Return a column's name as it looks: no case, no blanks, no marks that are invisible."""
    seen = (sign for sign in unicodedata.normalize("NFKC", name) if not _is_invisible(sign))
    return "".join(seen).strip().lower()


def _is_invisible(sign: str) -> bool:
    """Whether it is a sign such as a byte order mark, which joined files have amidst."""
    return unicodedata.category(sign) == "Cf"


def _place(before: int, last: int) -> str:
    return f"line {last}" if last <= before + 1 else f"lines {before + 1} to {last}"


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        seen = ",".join(header)
        why = ""
        if "\0" in seen or _NOT_UTF_8.search(seen):
            why = " The file must be UTF-8."
        elif len(header) == 1 and (";" in seen or "\t" in seen):
            why = " Values must be separated by commas."
        raise TrainingError(
            f"{path}, line 1: the header must name the columns {', '.join(columns)}; "
            f"{', '.join(missing)} missing in {seen!r:.200}.{why}"
        )


def _check_once(
    path: Path, given: Sequence[str], header: Sequence[str], read: Sequence[str]
) -> None:
    """Reject a column that occurs twice, because it is not clear which of the two is meant.

    Raises:
        TrainingError: a column that is read does, also in another case or with blanks.
    """
    for name in read:
        found = [
            f"{heading!r:.60} (column {number})"
            for number, (heading, known) in enumerate(zip(given, header, strict=True), start=1)
            if known == name
        ]
        if len(found) > 1:
            raise TrainingError(
                f"{path}, line 1: the header must name the column {name} once, "
                f"not {len(found)} times: {', '.join(found)}."
            )
