"""The fields of a contract that takes cars: their limits, their units, an example."""

import math
from collections.abc import Callable

import numpy as np

from service.repository.contract import Field
from training.data.auto_mpg import CAR_NUMBERS
from training.data.dataset_types import Table

# A car outside of these limits is rejected; they leave a margin around the cars of Auto MPG.
_LIMITS = {
    "cylinders": (2, 12),
    "displacement": (40, 600),
    "horsepower": (30, 400),
    "weight": (1000, 7000),
    "acceleration": (5, 40),
    "model_year": (70, 82),
}
# The margin around other cars, as a factor.
_ROOM = 1.5
# What a field is, and its unit. The contract's texts give the data set's own ranges.
_DESCRIPTIONS = {
    "cylinders": ("Number of cylinders", ""),
    "displacement": ("Of all cylinders", "cu in"),
    "horsepower": ("Power, null when it is not known", "hp"),
    "weight": ("Of the car", "lb"),
    "acceleration": ("Time from 0 to 60 miles an hour", "s"),
    "model_year": ("The last two digits", ""),
}


def car_fields(data: Table) -> tuple[Field, ...]:
    """Return the inputs that describe a car like those of ``data``."""
    origin = Field(
        name="origin",
        dtype="string",
        shape=(None,),
        description="Where the maker is at home.",
        choices=data.origins,
        example=data.origins[0],
    )
    return (*(_number(name, data) for name in CAR_NUMBERS), origin)


def _number(name: str, data: Table) -> Field:
    description, unit = _DESCRIPTIONS[name]
    column = data.numbers[name]
    low, high = float(np.nanmin(column)), float(np.nanmax(column))
    minimum, maximum = _LIMITS[name] if data.own is None else _limits(name, low, high)
    return Field(
        name=name,
        dtype="float32",
        shape=(None,),
        description=f"{description}; {low:g} to {high:g} in the data.",
        unit=unit,
        minimum=_plain(minimum),
        maximum=_plain(maximum),
        nullable=name == "horsepower",
        example=_plain(float(np.nanmedian(column))),
    )


def _limits(name: str, low: float, high: float) -> tuple[float, float]:
    """Return the limits of a column that goes from ``low`` to ``high``; years have no margin."""
    if name == "model_year":
        return low, high
    return _rounded(low / _ROOM, math.floor), _rounded(high * _ROOM, math.ceil)


def _rounded(value: float, whole: Callable[[float], int]) -> float:
    """Return a limit of two digits, which people can remember."""
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return whole(value / step) * step


def _plain(value: float) -> float:
    """Return a number as people write it: 12 for 12.0, 15.5 for a float32's 15.5000002."""
    return int(value) if value == int(value) else float(f"{value:.6g}")
