"""Which predictions of a model are stored, as its policy says it.

``{"rate": 0.1, "errors": 1, "unsure": {"output": "confidence", "between": [0, 0.6], "rate": 1}}``
"""

import math
from dataclasses import dataclass, field
from typing import Any

from service.repository.contract import is_one_of
from service.repository.errors import RepositoryError
from service.repository.json_files import shown

# The kinds of numpy's dtypes that say how sure an answer is.
UNSURE_KINDS = "fiu"


@dataclass(frozen=True, slots=True)
class UnsureRate:
    """At which rate unsure answers are stored.

    Attributes:
        output: the output whose numbers say how sure an answer is.
        low: the lowest number of an unsure answer.
        high: the highest.
        rate: the share of those answers that is stored, 0 to 1.
    """

    output: str
    low: float
    high: float
    rate: float


@dataclass(frozen=True, slots=True)
class EventRates:
    """Shares of a model's predictions that are stored, each from 0 to 1.

    Attributes:
        rate: of all.
        errors: of those that fail although the request is valid; ``None`` is as many as of all.
        unsure: of those with unsure answers.
        highest: the largest of the shares.
        bound: the same of 2^64, rounded up to a multiple of 2^11: what hashes are compared with.
    """

    rate: float
    errors: float | None = None
    unsure: UnsureRate | None = None
    # Asked for with every request, so it is found once.
    highest: float = field(init=False, repr=False, compare=False)
    bound: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        unsure = self.unsure.rate if self.unsure is not None else 0.0
        object.__setattr__(self, "highest", max(self.rate, self.errors or 0.0, unsure))
        # Exact: a float has 53 bits, and so has the number that a hash becomes.
        object.__setattr__(self, "bound", math.ceil(self.highest * 2.0**53) << 11)

    def to_json(self) -> dict[str, Any]:
        """Return it as the policy's file holds it."""
        value: dict[str, Any] = {"rate": self.rate}
        if self.errors is not None:
            value["errors"] = self.errors
        if self.unsure is not None:
            value["unsure"] = {
                "output": self.unsure.output,
                "between": [self.unsure.low, self.unsure.high],
                "rate": self.unsure.rate,
            }
        return value

    def sentence(self, days: float) -> str:
        """Return what is stored, in words; empty if nothing is.

        Args:
            days: after which it is removed.
        """
        shares = [(self.rate, "requests")] if self.rate else []
        if self.errors is not None and self.errors > self.rate:
            shares.append((self.errors, "those that fail"))
        if (unsure := self.unsure) is not None and unsure.rate > self.rate:
            between = f"{unsure.low:g} and {unsure.high:g}"
            shares.append((unsure.rate, f"those whose {unsure.output} lies between {between}"))
        if not shares:
            return ""
        *others, last = (f"{100 * share:g} % of {which}" for share, which in shares)
        words = f"{', '.join(others)} and {last}" if others else last
        return f"{words} are kept with their answers for {days:g} days."


def event_rates_from_json(file: str, value: Any) -> EventRates:
    """Read what a policy says of events.

    Args:
        file: the file's name, for messages.
        value: the JSON value under ``events``.

    Raises:
        RepositoryError: it is something else; the message names the place.
    """
    match value:
        case {"rate": rate, **rest} if _is_share(rate) and rest.keys() <= {"errors", "unsure"}:
            errors: Any = rest.get("errors")
            if errors is not None and not _is_share(errors):
                raise RepositoryError(
                    f"{file}: events.errors must be a number from 0 to 1, not {shown(errors)}."
                )
            unsure = _unsure(file, rest["unsure"]) if "unsure" in rest else None
            return EventRates(rate, errors, unsure)
        case _:
            raise RepositoryError(
                f'{file}: events must be {{"rate": R}} with R from 0 to 1, and optionally "errors" '
                f'and "unsure", not {shown(value)}.'
            )


def _unsure(file: str, value: Any) -> UnsureRate:
    match value:
        case {"output": str(output), "between": [low, high], "rate": rate, **rest} if (
            not rest and _is_number(low) and _is_number(high) and low <= high and _is_share(rate)
        ):
            return UnsureRate(output, low, high, rate)
        case _:
            raise RepositoryError(
                f'{file}: events.unsure must be {{"output": "<name>", "between": [LOW, HIGH], '
                f'"rate": R}}, not {shown(value)}.'
            )


def _is_number(value: Any) -> bool:
    return is_one_of(value, (int, float))


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1
