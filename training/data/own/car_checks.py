"""Checks a table of cars: units, copies, outliers, constant columns, columns that give mpg away."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from training.data.own.findings import Finding, first, share
from training.data.own.target_leakage import gives_away, text_gives_away

Column = npt.NDArray[np.float32]

# Between which the middle of a column lies whatever cars there are (from a Fiat 500 to a lorry),
# and what it may be measured in where it does not: below, above.
_PLAUSIBLE: Mapping[str, tuple[float, float, str, str]] = {
    "mpg": (4, 150, "gallons for a hundred miles", "kilometres on a tank"),
    "cylinders": (2, 16, "something else", "something else"),
    "displacement": (
        24,
        700,
        "litres (one is 61.02 cubic inches)",
        "cubic centimetres (16.39 are a cubic inch)",
    ),
    "horsepower": (15, 1_500, "something else", "watts"),
    "weight": (1_800, 20_000, "kilograms (one is 2.205 lb), or tons", "something else"),
    "acceleration": (2, 60, "minutes", "milliseconds"),
    "model_year": (0, 99, "something else", "years of four digits; two are expected"),
}
# Heavier cars go less far on a gallon: where they seem to go further, and clearly so, the column
# holds what they use (litres for 100 km).
_HEAVIER_GOES_FURTHER = 0.3
# Cars differ by a factor of ten or so; a slip of the decimal point, or of a unit, is beyond it.
_FAR_OFF = 20
# Single copies happen; of more, folds share so much that the cross-validation measures memory.
_MUCH = 0.05
# As far as the model's own intervals reach.
_CONTRADICT = 0.25
# What follows from another column by more than this is that column.
_THE_SAME = 0.9999
# As many origins are no matter; beyond them each should have rows enough to learn from.
_A_FEW, _ROWS_OF_ONE = 20, 10


def check_cars(
    numbers: Mapping[str, Column], mpg: Column, origin: Sequence[str], places: Sequence[str]
) -> Iterator[Finding]:
    """Yield the findings on cars.

    Args:
        numbers: each column but ``mpg``, [N]; NaN is unknown.
        mpg: miles to the gallon, [N].
        origin: where each is from, [N].
        places: where each row is.
    """
    columns = {"mpg": mpg, **numbers}
    yield from _units(columns)
    yield from _copies(columns, origin, places)
    yield from _outliers(columns, places)
    yield from _constant(numbers)
    yield from _same(numbers, mpg)
    yield from _origins(origin, mpg)


def _units(columns: Mapping[str, Column]) -> Iterator[Finding]:
    for name, (low, high, below, above) in _PLAUSIBLE.items():
        middle = float(np.nanmedian(columns[name]))
        if not low <= middle <= high:
            perhaps = below if middle < low else above
            yield Finding(
                sentence=f"The median of {name} is {middle:g}; of cars it lies between {low:g} and "
                f"{high:g}. Is it in {perhaps}? The contract promises the unit of the standard "
                "data.",
                blocks=True,
            )
    rank = _rank_correlation(columns["weight"], columns["mpg"])
    if rank > _HEAVIER_GOES_FURTHER:
        yield Finding(
            sentence=f"The heavier a car, the larger its mpg (rank correlation {rank:+.2f}): is "
            "mpg what it uses, as litres for 100 km, or is another column in the place of weight?",
            blocks=True,
        )


def _rank_correlation(one: Column, other: Column) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(one, other).statistic)


def _copies(
    columns: Mapping[str, Column], origin: Sequence[str], places: Sequence[str]
) -> Iterator[Finding]:
    features = [name for name in columns if name != "mpg"]
    values = np.stack([np.nan_to_num(columns[name], nan=-1.0) for name in features], axis=1)
    cars = [(*row, of) for row, of in zip(values.tolist(), origin, strict=True)]
    total = len(cars)
    groups = defaultdict(list)
    for row, car in enumerate(cars):
        groups[car].append(row)
    mpg = columns["mpg"]
    different = len(set(zip(cars, mpg.tolist(), strict=True)))
    if total - different > _MUCH * total:
        yield Finding(
            sentence=f"{share(total - different, total)} are copies of others; {different:,} are "
            "different. In a cross-validation a network learns from one copy and is measured on "
            "another, so the error is too small.",
            blocks=True,
        )
    apart = [
        group for group in groups.values() if np.ptp(mpg[group]) > _CONTRADICT * mpg[group].min()
    ]
    if apart:
        listed = [
            " and ".join(f"{places[row]} ({mpg[row]:g} mpg)" for row in _ends(mpg, group))
            for group in apart
        ]
        yield Finding(
            sentence=f"{share(sum(map(len, apart)), total)} are alike in everything but mpg, in "
            f"which they differ by over {_CONTRADICT:.0%}: {first(listed)}.",
            blocks=sum(map(len, apart)) > _MUCH * total,
        )


def _ends(mpg: Column, group: Sequence[int]) -> tuple[int, int]:
    """Return the rows of a group with the least and the most miles."""
    return min(group, key=lambda row: mpg[row]), max(group, key=lambda row: mpg[row])


def _outliers(columns: Mapping[str, Column], places: Sequence[str]) -> Iterator[Finding]:
    for name, column in columns.items():
        middle = float(np.nanmedian(column))
        far = np.flatnonzero((column > _FAR_OFF * middle) | (column < middle / _FAR_OFF)).tolist()
        if far:
            listed = first([f"{places[row]} ({column[row]:g})" for row in far])
            yield Finding(
                sentence=f"{name} is over {_FAR_OFF} times more or less than its median, "
                f"{middle:g}, in {share(len(far), len(column))}: {listed}. The contract's range "
                "goes as far, so wrong requests will not be noticed."
            )


def _constant(numbers: Mapping[str, Column]) -> Iterator[Finding]:
    for name, column in numbers.items():
        value, count = Counter(column[~np.isnan(column)].tolist()).most_common(1)[0]
        known = int((~np.isnan(column)).sum())
        if count == known:
            yield Finding(sentence=f"{name} is {value:g} in all rows: nothing is learned from it.")


def _same(numbers: Mapping[str, Column], mpg: Column) -> Iterator[Finding]:
    columns = {**numbers, "mpg": mpg}
    names = list(columns)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            known = ~np.isnan(columns[one]) & ~np.isnan(columns[other])
            here, there = columns[one][known].astype(float), columns[other][known].astype(float)
            if known.sum() < 3 or np.ptp(here) == 0 or np.ptp(there) == 0:
                continue
            alike = float(np.corrcoef(here, there)[0, 1])
            straight = abs(alike) > _THE_SAME
            if straight and other != "mpg":
                yield Finding(
                    sentence=f"{one} and {other} say the same (correlation {alike:+.5f}): is one "
                    "of them a copy?"
                )
            elif straight:
                yield Finding(
                    sentence=f"{one} and mpg say the same (correlation {alike:+.5f}): the model "
                    "would get the value that it should estimate.",
                    blocks=True,
                )
            elif other == "mpg":
                yield from _follows(one, gives_away(columns[one], mpg))


def _origins(origin: Sequence[str], mpg: Column) -> Iterator[Finding]:
    different = len(set(origin))
    if different > max(_A_FEW, len(origin) / _ROWS_OF_ONE):
        yield Finding(
            sentence=f"origin has {different:,} different values in {len(origin):,} rows, such as "
            f"{origin[0]!r:.60}: is it a name, an id or a number? A value that a model has hardly "
            "seen says nothing about it, and the contract would accept no others.",
            blocks=True,
        )
    yield from _follows("origin", text_gives_away(origin, mpg))


def _follows(name: str, explained_share: float | None) -> Iterator[Finding]:
    if explained_share is not None:
        yield Finding(
            sentence=f"mpg follows from {name} alone (which explains {explained_share:.4f} of its "
            "rank): the model would get the value that it should estimate. Is it made from mpg?",
            blocks=True,
        )
