"""Own texts with their classes: a CSV file with a header, or JSONL, an object a line."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.data.dataset_types import MAX_TEXT_BYTES, Texts
from training.data.own.bad_rows import BadRows
from training.data.own.csv_records import csv_records
from training.data.own.holdout_split import Divided
from training.data.own.text_checks import check_texts, loosely

COLUMNS = ("text", "label")


def read(path: Path, bad: BadRows, *, standard: Sequence[str]) -> Texts:
    """Read texts and labels; other columns or keys are not read.

    Args:
        path: a file whose name ends in ``.csv`` or ``.jsonl``.
        bad: gathers the rows that are invalid or lack text or label.
        standard: the names of the standard data's classes.

    Raises:
        TrainingError: the file cannot be read or has no such columns, too many rows are bad, or
            there are too few good ones; see ``Divided``.
    """
    records = _jsonl(path, bad) if path.suffix.lower() == ".jsonl" else _csv(path, bad)
    contents: list[bytes] = []
    labels: list[str] = []
    places: list[str] = []
    originals: list[bytes] = []
    for place, original, label in records:
        text = original.strip()
        missing = [name for name, value in zip(COLUMNS, (text, label), strict=True) if not value]
        if missing:
            bad.add(place, f"{' and '.join(missing)} missing")
            continue
        sent = original.encode()
        if len(sent) > MAX_TEXT_BYTES:
            bad.add(place, f"text has {len(sent):,} bytes; the service takes {MAX_TEXT_BYTES:,}")
            continue
        contents.append(text.encode())
        labels.append(label)
        places.append(place)
        originals.append(sent)
    divided = Divided(path, contents, labels, standard, bad, places=places, alike=loosely)
    divided.findings += check_texts(contents, divided.labels, divided.names, places)
    rows = np.arange(len(contents))
    return Texts(
        train=[contents[row] for row in rows[~divided.test]],
        train_labels=divided.labels[~divided.test],
        test=[contents[row] for row in rows[divided.test]],
        test_labels=divided.labels[divided.test],
        labels=divided.names,
        fingerprint=divided.fingerprint,
        own=divided.card(),
        test_originals=tuple((places[row], originals[row]) for row in rows[divided.test].tolist()),
    )


def _csv(path: Path, bad: BadRows) -> Iterator[tuple[str, str, str]]:
    for place, record in csv_records(path, COLUMNS, bad):
        yield place, record["text"], record["label"].strip()


def _jsonl(path: Path, bad: BadRows) -> Iterator[tuple[str, str, str]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            place = f"line {number}"
            value = _object(line)
            if isinstance(value, str):
                bad.add(place, value)
                continue
            try:
                text, label = (_as_text(name, value.get(name)) for name in COLUMNS)
            except ValueError as error:
                bad.add(place, str(error))
                continue
            yield place, text, label.strip()


class _TwiceError(Exception):
    """A key occurs twice in one object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its keys and values, as JSON's parser does.

    Raises:
        _TwiceError: a key occurs twice, so it is not clear which value is meant.
    """
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise _TwiceError(key)
        made[key] = value
    return made


def _object(line: bytes) -> dict[str, Any] | str:
    """Return the JSON object of a line, or what is wrong with the line."""
    try:
        # As bytes it might be taken for UTF-16, whose lines do not end where those of UTF-8 do.
        value = json.loads(line.decode("utf-8-sig"), object_pairs_hook=_once)
    except UnicodeDecodeError:
        return "is not UTF-8"
    except _TwiceError as error:
        return f"has the key {error.args[0]!r:.60} twice"
    except (ValueError, RecursionError) as error:
        return f"is not JSON: {error}"
    return value if isinstance(value, dict) else "is not a JSON object"


def _as_text(name: str, value: Any) -> str:
    """Return a value as text; a class may be a number, and what is not there is empty."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{name} must be a string, not {value!r:.60}")
    text = str(value)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{name} has half a character, a lone surrogate")
    return text
