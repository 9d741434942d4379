"""Figures of nested JSON, as people read them."""

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


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the figures of nested objects under dotted names; lists are left out."""
    figures: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            figures |= flat(item, f"{prefix}{key}.")
        elif not isinstance(item, list):
            figures[f"{prefix}{key}"] = item
    return figures
