"""Which requests are in the sample: a pure function of the request's id.

The id alone decides whether a request is in the sample, in every worker, replica and program:
so a request, its answer, what a shadow answered and the truth that comes later are
either all in it, or none of them is.

``sampling_point`` is the CRC-32 (as gzip has it) of the id in UTF-8, times 0x9E3779B97F4A7C15
modulo 2^64, of which the upper 53 bits make a number in [0, 1). Every request pays for it, and a
cryptographic hash would cost twice as much; the product spreads what CRC-32 leaves alike, so that
counters and random ids are sampled evenly. A request is stored when
its point lies below its rate. All rates of a model cut the same number, so the probability with
which a stored request was to be stored is the largest rate that applies to it; estimates that
divide by it (Horvitz and Thompson, 1952) are unbiased although errors are kept at another rate.

A client that chooses its own ids chooses what is in the sample.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar
from zlib import crc32

import numpy as np

from service.repository.event_rates import UNSURE_KINDS, EventRates
from service.repository.golden_examples import Tensors

_BITS = 53  # More than that a float cannot hold.
_TWO_TO_53 = float(1 << _BITS)
# 2^64 over the golden ratio, and odd: Fibonacci hashing (Knuth, volume 3, section 6.4).
_FACTOR = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_SPARE = 64 - _BITS
# Above all places in the order of audits.
ALL_AUDITS = 1 << _BITS
_ORDER_PERSON = b"understudy-audit"

Answered = TypeVar("Answered", bound=tuple[Any, ...])


class Reason(StrEnum):
    """Why a request is stored."""

    SAMPLE = "sample"
    ERROR = "error"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Inclusion:
    """That a request is stored.

    Attributes:
        probability: with which it was to be stored, above 0.
        rate: the rate of all requests then.
        reason: why; ``SAMPLE`` wherever the rate of all requests suffices.
    """

    probability: float
    rate: float
    reason: Reason


# Nearly all requests have one of a few, which takes longer to make than to find.
_inclusion = lru_cache(maxsize=256)(Inclusion)


@lru_cache(maxsize=256)
def _in_sample(rate: float) -> Inclusion:
    return Inclusion(rate, rate, Reason.SAMPLE)


def sampling_point(request_id: str) -> float:
    """Return a request's number in [0, 1), evenly spread over ids."""
    return ((crc32(request_id.encode()) * _FACTOR & _MASK) >> _SPARE) / _TWO_TO_53


def is_left_out(rates: EventRates, request_id: str) -> bool:
    """Whether a request is not stored whatever became of it: its point is above all rates.

    Args:
        rates: those of its model.
        request_id: its id.
    """
    return crc32(request_id.encode()) * _FACTOR & _MASK >= rates.bound


def drawn(answered: Iterable[Answered], bound: int) -> list[Answered]:
    """Return those of many requests that are not left out, each of which begins with its id.

    In one step: among all else that a request does, a call for each costs four times as much.

    Args:
        answered: the requests.
        bound: the largest of their models' rates, as ``EventRates.bound`` has it.
    """
    return [each for each in answered if crc32(each[0].encode()) * _FACTOR & _MASK < bound]


def audit_order(request_id: str) -> int:
    """Return a request's place in the order of audits, from 0 to 2^53 - 1.

    It does not depend on the point that decides whether the request is stored.
    """
    digest = blake2b(request_id.encode(), digest_size=8, person=_ORDER_PERSON).digest()
    return int.from_bytes(digest, "big") >> _SPARE


def inclusion(
    rates: EventRates, request_id: str, status: int, outputs: Tensors | None
) -> Inclusion | None:
    """Return whether a request is stored, and with which probability; ``None`` if it is not.

    Args:
        rates: those of its model.
        request_id: its id.
        status: the HTTP status of its answer.
        outputs: an array for each output; ``None`` where there are none.
    """
    if is_left_out(rates, request_id):
        return None
    rate, unsure = rates.rate, rates.unsure
    if rates.highest == rate:
        return _in_sample(rate)
    point = sampling_point(request_id)
    probability, reason = rate, Reason.SAMPLE
    if status >= 400:
        if rates.errors is not None and rates.errors > rate:
            probability, reason = rates.errors, Reason.ERROR
    elif unsure is not None and unsure.rate > rate:
        probability, reason = unsure.rate, Reason.UNSURE
    if point >= probability:
        return None
    if reason is Reason.UNSURE and not _is_unsure(rates, outputs):
        # Only now, because few requests have come so far.
        probability, reason = rate, Reason.SAMPLE
        if point >= rate:
            return None
    if point < rate:
        reason = Reason.SAMPLE
    return _inclusion(probability, rate, reason)


def _is_unsure(rates: EventRates, outputs: Tensors | None) -> bool:
    unsure = rates.unsure
    if unsure is None or outputs is None:
        return False
    numbers = outputs.get(unsure.output)
    if numbers is None or numbers.dtype.kind not in UNSURE_KINDS:
        return False
    return bool(np.any((numbers >= unsure.low) & (numbers <= unsure.high)))
