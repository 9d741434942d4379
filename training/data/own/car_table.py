"""Own cars: a CSV file whose columns are named and measured as the contract's fields."""

import hashlib
import math
from collections import Counter
from pathlib import Path

import numpy as np

from training.data.auto_mpg import CAR_NUMBERS
from training.data.dataset_types import Table
from training.data.own.bad_rows import BadRows
from training.data.own.car_checks import check_cars
from training.data.own.class_checks import similar_names
from training.data.own.csv_records import csv_records
from training.data.own.findings import findings_to_json
from training.errors import TrainingError

COLUMNS = ("mpg", *CAR_NUMBERS, "origin")
# What stands for a number that is not known; the model estimates horsepower, nothing else.
_UNKNOWN = ("", "?")
# float32 holds no more; logarithms are taken of most numbers.
_LEAST, _MOST = 1e-30, 1e30
_MAY_BE_UNKNOWN = "horsepower"
# Fewer cannot be divided into folds that mean anything.
LEAST_CARS = 50


def read(path: Path, bad: BadRows, *, standard: tuple[str, ...]) -> Table:
    """Read cars with their consumption; a column ``name`` is read, others are not.

    Args:
        path: a CSV file.
        bad: gathers the rows with an invalid value.
        standard: the origins of the standard data, in its order.

    Raises:
        TrainingError: the header lacks a column, or too few rows are good.
    """
    rows: list[dict[str, float]] = []
    origins: list[str] = []
    names: list[str] = []
    places: list[str] = []
    for place, record in csv_records(path, COLUMNS, bad, optional=("name",)):
        try:
            row = {column: car_number(column, record[column]) for column in ("mpg", *CAR_NUMBERS)}
        except ValueError as error:
            bad.add(place, str(error))
            continue
        if not record["origin"].strip():
            bad.add(place, "origin missing")
            continue
        rows.append(row)
        places.append(place)
        origins.append(record["origin"].strip())
        # Not by its line: versions are compared on the cars that both know, in whatever order.
        names.append(record.get("name", "").strip() or "a car")
    bad.check_share(path, len(rows))
    if len(rows) < LEAST_CARS:
        raise TrainingError(f"{path} has {len(rows)} good rows; at least {LEAST_CARS} are needed.")
    different = len({(*row.values(), origin) for row, origin in zip(rows, origins, strict=True)})
    if different < LEAST_CARS:
        raise TrainingError(
            f"{path} has {len(rows)} good rows, of which {different} are different; at least "
            f"{LEAST_CARS} are needed."
        )
    if len({row["mpg"] for row in rows}) == 1:
        raise TrainingError(f"{path}: mpg is {rows[0]['mpg']:g} in all rows; nothing to estimate.")
    columns = {
        column: np.array([row[column] for row in rows], np.float32)
        for column in ("mpg", *CAR_NUMBERS)
    }
    if np.isnan(columns[_MAY_BE_UNKNOWN]).all():
        raise TrainingError(f"{path} has no {_MAY_BE_UNKNOWN} of any car.")
    numbers = {column: columns[column] for column in CAR_NUMBERS}
    findings = list(check_cars(numbers, columns["mpg"], origins, places))
    counts = Counter(origins)
    findings += similar_names(list(counts), list(counts.values()), ("origin", "origins"))
    found = set(origins)
    return Table(
        numbers=numbers,
        origin=np.array(origins),
        origins=standard if found == set(standard) else tuple(sorted(found)),
        mpg=columns["mpg"],
        names=np.array(names),
        fingerprint=hashlib.sha256(repr([rows, origins]).encode()).hexdigest(),
        own={
            "bad_rows": len(bad),
            **({"findings": findings_to_json(findings)} if findings else {}),
        },
    )


def car_number(column: str, given: str) -> float:
    """Return a value above zero, or NaN where it may be unknown.

    Raises:
        ValueError: it is not such a number; the message names column and value.
    """
    if given.strip() in _UNKNOWN:
        if column == _MAY_BE_UNKNOWN:
            return math.nan
        raise ValueError(f"{column} missing")
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not _LEAST < value < _MOST:
        point = " (decimals after a point)" if "," in given else ""
        # Most mistakes are a sign or a word; the bounds would only distract from them.
        bounds = "0" if not 0 < value < math.inf else f"{_LEAST:g} and below {_MOST:g}"
        raise ValueError(
            f"{column} must be a number above {bounds}{point}, not {given.strip()!r:.40}"
        )
    return value
