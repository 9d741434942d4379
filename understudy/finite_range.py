"""Numbers that options take: in a range, and finite."""

import math
from typing import Any

import click


class FiniteRange(click.FloatRange):
    """A number in a range, in which NaN and infinity are not, whatever its ends are."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number
