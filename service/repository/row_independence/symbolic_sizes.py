"""Sizes of dimensions, as far as they are known: products of numbers and named unknowns.

One of the unknowns is the number of rows, which is at least 1. All others (a free dimension of
an input, or what an operation makes of one) are the same for each row of a request, and for all
requests that may run together.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

ROWS_SYMBOL = "rows"
_numbers = itertools.count()


class UndecidedError(ArithmeticError):
    """What is asked of a size depends on what its unknowns are."""


@dataclass(frozen=True, slots=True)
class Size:
    """A product of a whole number and unknowns; an unknown that stands twice is squared."""

    factor: int
    unknowns: tuple[str, ...] = ()

    @property
    def known(self) -> int | None:
        return None if self.unknowns else self.factor

    @property
    def rows(self) -> int:
        """How often the number of rows is a factor."""
        return self.unknowns.count(ROWS_SYMBOL)

    def __mul__(self, other: int | Size) -> Size:
        other = sized(other)
        return Size(self.factor * other.factor, tuple(sorted(self.unknowns + other.unknowns)))

    __rmul__ = __mul__

    def divided_by(self, other: int | Size) -> Size | None:
        """Return the quotient where it is whole whatever the unknowns are, else ``None``."""
        other = sized(other)
        left, taken = Counter(self.unknowns), Counter(other.unknowns)
        if not other.factor or self.factor % other.factor or taken - left:
            return None
        return Size(self.factor // other.factor, tuple(sorted((left - taken).elements())))

    def __floordiv__(self, other: int | Size) -> int | Size:
        quotient = self.divided_by(other)
        if quotient is None:
            raise UndecidedError
        return plain(quotient)

    def __add__(self, other: int | Size) -> int | Size:
        other = sized(other)
        if not other.factor:
            return plain(self)
        if not self.factor:
            return plain(other)
        if self.unknowns != other.unknowns:
            raise UndecidedError
        return plain(Size(self.factor + other.factor, self.unknowns))

    __radd__ = __add__

    def __neg__(self) -> Size:
        return Size(-self.factor, self.unknowns)

    def __sub__(self, other: int | Size) -> int | Size:
        return self + -other

    def __rsub__(self, other: int | Size) -> int | Size:
        return -self + other

    def __str__(self) -> str:
        return "x".join([str(self.factor)] * (self.factor != 1) + list(self.unknowns)) or "1"


ONE = Size(1)
ROWS = Size(1, (ROWS_SYMBOL,))


def sized(value: int | Size) -> Size:
    return value if isinstance(value, Size) else Size(int(value))


def plain(value: Size) -> int | Size:
    return value if value.unknowns else value.factor


def product(sizes: Iterable[int | Size]) -> Size:
    return math.prod((sized(size) for size in sizes), start=ONE)


def unknown() -> Size:
    """Return a size of which nothing is known but that it does not depend on the rows."""
    return Size(1, (f"u{next(_numbers)}",))
