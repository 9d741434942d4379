"""Figures of nested JSON, as people read them."""

import math
from collections.abc import Mapping
from typing import Any


def figure(value: Any) -> str:
    """Return a number as people read it, anything else as it is."""
    if not isinstance(value, float):
        return str(value)
    # A learning rate of 0.00002 is not 0.
    if 0 < abs(value) < 0.001:
        return f"{value:.2g}"
    return f"{value:.4f}".rstrip("0").rstrip(".")


def percentage(share: float, digits: int = 2) -> str:
    """Return a share as people read it: "25 %", "0.66 %", "99.6 %"; never with an exponent.

    Only nothing is 0 %, and only all is 100 %.

    Args:
        share: 0 to 1.
        digits: how many significant ones it has, or what is missing to 100 % where that is less.
    """
    percent = 100 * share
    lesser = min(percent, 100 - percent)
    places = 0 if lesser <= 0 else max(0, digits - 1 - math.floor(math.log10(lesser)))
    number = f"{percent:.{places}f}"
    return f"{number.rstrip('0').rstrip('.') if places else number} %"


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the figures of nested objects under dotted names; lists are left out."""
    figures: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            figures |= flat(item, f"{prefix}{key}.")
        elif not isinstance(item, list):
            figures[f"{prefix}{key}"] = item
    return figures
