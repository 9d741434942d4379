"""Columns that tell what a model is to estimate, and columns that may tell as much as they do."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.owndata import CAR_HEADER, cars, write_csv
from training.data.auto_mpg import AUTO_MPG, ORIGINS
from training.data.auto_mpg import read as auto_mpg
from training.data.dataset_location import find_dataset
from training.data.own import car_table
from training.data.own.bad_rows import BadRows
from training.data.own.findings import findings_of
from training.data.own.target_leakage import gives_away, text_gives_away

CHANCE = np.random.default_rng(1)
MPG = CHANCE.uniform(10, 40, 200)


@pytest.mark.parametrize(
    ("what", "made"),
    [
        ("litres for 100 km", lambda mpg: 235.2 / mpg),
        ("the same, rounded", lambda mpg: np.round(235.2 / mpg, 1)),
        ("a logarithm", np.log),
        ("a power, falling", lambda mpg: -(mpg**5)),
        ("a curve that falls and rises", lambda mpg: np.where(MPG * 10 % 2 < 1, mpg, 90 - mpg)),
        ("an error of one per cent", lambda mpg: mpg * CHANCE.normal(1, 0.01, len(mpg))),
        ("ranges", lambda mpg: np.ceil(mpg / 5)),
        ("numbers of shuffled ranges", lambda mpg: np.ceil(mpg / 3) * 37 % 11),
        ("one in ten is not", lambda mpg: np.where(np.arange(len(mpg)) % 10, 1000 / mpg, 50)),
        ("unknown in half", lambda mpg: np.where(np.arange(len(mpg)) % 2, 1000 / mpg, np.nan)),
    ],
)
def test_a_column_that_gives_the_target_away(
    what: str, made: Callable[[np.ndarray], np.ndarray]
) -> None:
    assert gives_away(made(MPG), MPG) is not None, what


@pytest.mark.parametrize(
    ("what", "made"),
    [
        ("a good cause", lambda mpg: mpg + CHANCE.normal(0, 2.5, len(mpg))),
        ("three classes of cars", lambda mpg: np.digitize(mpg, [20, 30])),
        ("chance", lambda mpg: CHANCE.normal(0, 1, len(mpg))),
        ("one value", np.ones_like),
        ("nothing", lambda mpg: np.full_like(mpg, np.nan)),
        ("the row's number", lambda mpg: np.arange(len(mpg), dtype=float)),
    ],
)
def test_a_column_that_may_tell_what_it_tells(
    what: str, made: Callable[[np.ndarray], np.ndarray]
) -> None:
    assert gives_away(made(MPG), MPG) is None, what


def test_a_target_of_few_values_is_not_given_away_by_chance() -> None:
    target = np.where(np.arange(200) % 10, 20.0, 30.0)
    assert gives_away(CHANCE.normal(0, 1, 200), target) is None
    assert text_gives_away(["usa", "japan"] * 100, target) is None


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("the number itself", lambda mpg: f"{mpg:.1f} mpg"),
        ("the number after a word", lambda mpg: f"usa {1000 / mpg:.2f}"),
        ("a decimal comma", lambda mpg: f"{mpg:.2f}".replace(".", ",")),
        ("a range in words", lambda mpg: "abcdefg"[int(mpg / 6)]),
        ("the whole number, coded", lambda mpg: chr(ord("A") + int(mpg) * 7 % 31)),
    ],
)
def test_a_column_of_texts_that_gives_the_target_away(
    what: str, text: Callable[[float], str]
) -> None:
    assert text_gives_away([text(mpg) for mpg in MPG], MPG) is not None, what


def test_a_column_of_texts_that_may_tell_what_it_tells() -> None:
    chance = random.Random(1)
    origins = [chance.choice(["usa", "japan"] if mpg > 25 else ["usa", "europe"]) for mpg in MPG]
    assert text_gives_away(origins, MPG) is None
    assert text_gives_away([f"region {chance.randint(1, 9)}" for _ in MPG], MPG) is None
    assert text_gives_away(["usa"] * 200, MPG) is None


def _doubts(folder: Path, column: str, made: Callable[[dict[str, object]], object]) -> list[str]:
    rows = []
    for row in cars(200):
        car = dict(zip(CAR_HEADER, row, strict=True))
        rows.append(tuple({**car, column: made(car)}.values()))
    path = write_csv(folder / "cars.csv", CAR_HEADER, rows)
    data = car_table.read(path, BadRows(0.0), standard=ORIGINS)
    assert data.own is not None
    return [found.sentence for found in findings_of(data.own) if found.blocks]


def test_cars_whose_columns_give_mpg_away(tmp_path: Path) -> None:
    (curve,) = _doubts(tmp_path, "horsepower", lambda car: 1000 / float(str(car["mpg"])))
    assert curve.startswith("mpg follows from horsepower alone (which explains 1.0000 of its rank)")
    many, told = _doubts(tmp_path, "origin", lambda car: f"{car['mpg']} mpg")
    assert many.startswith("origin has ")
    assert told.startswith("mpg follows from origin alone")
    (ids,) = _doubts(tmp_path, "origin", lambda car: f"id-{car['name']}")
    assert "200 different values in 200 rows, such as 'id-car 0'" in ids
    assert _doubts(tmp_path, "origin", lambda car: car["origin"]) == []


def test_nothing_is_given_away_in_auto_mpg(tmp_path: Path) -> None:
    found = find_dataset(AUTO_MPG, None)
    if found is None:
        pytest.skip("Auto MPG is not on this machine")
    data = auto_mpg(found)
    rows = [
        tuple(
            "?" if isinstance(value, float) and np.isnan(value) else value
            for value in (
                data.names[row],
                data.origin[row],
                float(data.mpg[row]),
                *(float(data.numbers[name][row]) for name in CAR_HEADER[3:]),
            )
        )
        for row in range(len(data.mpg))
    ]
    path = write_csv(tmp_path / "cars.csv", CAR_HEADER, rows)
    own = car_table.read(path, BadRows(0.0), standard=ORIGINS).own
    assert own is not None
    assert findings_of(own) == []
