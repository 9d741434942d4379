"""CSV files of cars."""

from pathlib import Path

import numpy as np
import pytest

from tests.owndata import CAR_HEADER, cars, write_csv
from training.data.auto_mpg import ORIGINS
from training.data.dataset_types import Table
from training.data.own.bad_rows import BadRows
from training.data.own.car_table import read
from training.errors import TrainingError


def table(path: Path, tolerated: float = 1.0) -> tuple[Table, list[str]]:
    bad = BadRows(tolerated)
    return read(path, bad, standard=ORIGINS), bad.lines


def test_cars_are_read_by_the_names_in_the_header(tmp_path: Path) -> None:
    data, bad = table(write_csv(tmp_path / "cars.csv", CAR_HEADER, cars(60)))
    assert bad == []
    assert data.origins == ("korea", "usa")
    assert data.names[7] == "car 7"
    assert np.flatnonzero(np.isnan(data.numbers["horsepower"])).tolist() == [0, 20, 40]
    assert data.mpg.dtype == data.numbers["weight"].dtype == np.float32
    assert data.own == {"bad_rows": 0}


def test_the_standard_origins_keep_their_order(tmp_path: Path) -> None:
    rows = [(row[0], ORIGINS[number % 3], *row[2:]) for number, row in enumerate(cars(60))]
    data, _ = table(write_csv(tmp_path / "cars.csv", CAR_HEADER, rows))
    assert data.origins == ORIGINS


def test_bad_rows_are_listed(tmp_path: Path) -> None:
    good = cars(60)
    broken = [
        ("a", "usa", "n/a", *good[0][3:]),
        ("b", "usa", 20, "four", *good[0][4:]),
        ("c", "", *good[0][2:]),
        ("d", "usa", 20, 4, -100, *good[0][5:]),
        ("e", "usa", 20, 4, "", *good[0][5:]),
        ("f", "usa", "inf", *good[0][3:]),
        ("g", "usa", "1e-40", *good[0][3:]),
        ("h", "usa", "14,5", *good[0][3:]),
        good[0][:-1],
    ]
    _, bad = table(write_csv(tmp_path / "cars.csv", CAR_HEADER, [*good, *broken]))
    assert bad == [
        "line 62: mpg must be a number above 0, not 'n/a'",
        "line 63: cylinders must be a number above 0, not 'four'",
        "line 64: origin missing",
        "line 65: displacement must be a number above 0, not '-100'",
        "line 66: displacement missing",
        "line 67: mpg must be a number above 0, not 'inf'",
        "line 68: mpg must be a number above 1e-30 and below 1e+30, not '1e-40'",
        "line 69: mpg must be a number above 0 (decimals after a point), not '14,5'",
        "line 70: has 8 values, the header 9",
    ]


@pytest.mark.parametrize("twice", ["weight", "Name"])
def test_a_column_that_stands_twice_is_refused(tmp_path: Path, twice: str) -> None:
    rows = [(*row, 1) for row in cars(60)]
    with pytest.raises(TrainingError, match=f"name the column {twice.lower()} once, not 2 times"):
        table(write_csv(tmp_path / "cars.csv", [*CAR_HEADER, twice], rows))


def test_a_car_without_a_name_is_the_same_on_any_line(tmp_path: Path) -> None:
    rows = [row[1:] for row in cars(60)]
    first, _ = table(write_csv(tmp_path / "a.csv", CAR_HEADER[1:], rows))
    second, _ = table(write_csv(tmp_path / "b.csv", CAR_HEADER[1:], rows[::-1]))
    assert first.names.tolist() == second.names.tolist()[::-1]


def test_too_few_cars_and_no_power_at_all(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="has 49 good rows; at least 50 are needed"):
        table(write_csv(tmp_path / "few.csv", CAR_HEADER, cars(49)))
    rows = [(*row[:5], "?", *row[6:]) for row in cars(60)]
    with pytest.raises(TrainingError, match="has no horsepower of any car"):
        table(write_csv(tmp_path / "weak.csv", CAR_HEADER, rows))
