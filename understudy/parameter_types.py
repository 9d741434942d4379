"""Kinds of values that several commands take, and that need nothing of the trainer."""

import math
from pathlib import Path
from typing import Any

import click


class PathName(click.Path):
    """A path. Not the empty text that an unset variable leaves: Python takes it for ``.``."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(named(self, value, param, ctx), param, ctx)


def named(
    kind: click.ParamType[Any],
    value: Any,
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> Any:
    """Return the value if it names a path.

    Raises:
        BadParameter: it is empty.
    """
    if value == "":
        kind.fail("must be a path, not ''", param, ctx)
    return value


class FiniteRange(click.FloatRange):
    """A number in a range, in which NaN and infinity are not, whatever its ends are."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number
