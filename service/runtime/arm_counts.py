"""What the two arms of a rollout answered, in one worker and over all of them.

The unit is what the hash splits: a routing key. A client that repeats one key a thousand times
stands for one throw of the coin, so it counts once; requests whose id the service made itself are
all different, and are only counted.
"""

import base64
import math
import threading
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

# Bounds of the bins of seconds: 100 us to about 100 s, each a twentieth above the last.
STEP = 1.05
BOUNDS: tuple[float, ...] = tuple(0.0001 * STEP**i for i in range(284))
_BINS = len(BOUNDS) + 1
# Keys that are remembered; then they are counted, and remembered anew.
_MOST_KEYS = 10_000

# Units by the hashes of their keys: each the bin of its first answer's seconds, and two bits.
_Table = dict[int, int]
_FAILED, _CANDIDATE, _PLACE = 1, 2, 2


@dataclass(slots=True)
class ArmTotals:
    """The units of one arm.

    Attributes:
        units: how many there were.
        failures: how many of them got an error.
        bins: how many took how long: by ``BOUNDS``, shape [len(BOUNDS) + 1].
    """

    units: int = 0
    failures: int = 0
    bins: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_BINS, np.int64))

    def add(self, other: "ArmTotals") -> None:
        """Add the units of ``other``."""
        self.units += other.units
        self.failures += other.failures
        self.bins = self.bins + other.bins

    def slower_than(self, bound: int) -> int:
        """Return how many units took longer than ``BOUNDS[bound]``; none beyond the last."""
        return int(self.bins[bound + 1 :].sum())

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object; of the bins those that are not empty."""
        used = {str(i): int(self.bins[i]) for i in np.flatnonzero(self.bins)}
        return {"units": self.units, "failures": self.failures, "bins": used}


def totals_from_json(value: dict[str, Any]) -> ArmTotals:
    """Return what ``ArmTotals.to_json`` wrote."""
    totals = ArmTotals(value["units"], value["failures"])
    for place, count in value["bins"].items():
        totals.bins[int(place)] = count
    return totals


@dataclass(slots=True)
class BothArms:
    """The units of both arms.

    Attributes:
        champion: those that the version before answered.
        candidate: those that the version on trial answered.
    """

    champion: ArmTotals = field(default_factory=ArmTotals)
    candidate: ArmTotals = field(default_factory=ArmTotals)

    def of(self, *, is_candidate: bool) -> ArmTotals:
        """Return the units of one arm."""
        return self.candidate if is_candidate else self.champion

    def add(self, other: "BothArms") -> None:
        """Add the units of ``other``."""
        self.champion.add(other.champion)
        self.candidate.add(other.candidate)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"champion": self.champion.to_json(), "candidate": self.candidate.to_json()}


def arms_from_json(value: dict[str, Any]) -> BothArms:
    """Return what ``BothArms.to_json`` wrote."""
    return BothArms(totals_from_json(value["champion"]), totals_from_json(value["candidate"]))


class ArmCounts:
    """What one worker counts of one step of a rollout; any thread may note."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plain = {False: _Plain(), True: _Plain()}
        self._keys: _Table = {}

    def note(self, seconds: float, *, failed: bool, is_candidate: bool, key: int | None) -> None:
        """Count one request.

        Args:
            seconds: from its arrival to its answer.
            failed: whether the answer is an error.
            is_candidate: whether the candidate answered it.
            key: the hash of its key where the client chose that.
        """
        place = bisect_left(BOUNDS, seconds)
        with self._lock:
            if key is None:
                self._plain[is_candidate].note(place, failed)
                return
            known = self._keys.get(key)
            if known is None:
                if len(self._keys) >= _MOST_KEYS:
                    self._count_keys()
                known = place << _PLACE | is_candidate * _CANDIDATE
            self._keys[key] = known | failed * _FAILED

    def to_json(self) -> dict[str, Any]:
        """Return what was counted as a JSON object, for ``summed``."""
        with self._lock:
            plain = BothArms(self._plain[False].totals(), self._plain[True].totals())
            count = len(self._keys)
            keys = np.fromiter(self._keys, np.uint64, count)
            units = np.fromiter(self._keys.values(), np.uint16, count)
        return {**plain.to_json(), "keys": _packed(keys), "units": _packed(units)}

    def _count_keys(self) -> None:
        for unit in self._keys.values():
            self._plain[bool(unit & _CANDIDATE)].note(unit >> _PLACE, unit & _FAILED)
        self._keys.clear()


def summed(counts: list[dict[str, Any]]) -> BothArms:
    """Return the units of all workers; a key that several have seen is one unit.

    Args:
        counts: what each worker's ``ArmCounts.to_json`` returned.
    """
    total = BothArms()
    table: _Table = {}
    for each in counts:
        total.add(arms_from_json(each))
        keys = np.frombuffer(base64.b64decode(each["keys"]), np.uint64).tolist()
        units = np.frombuffer(base64.b64decode(each["units"]), np.uint16).tolist()
        for key, unit in zip(keys, units, strict=True):
            table[key] = table.setdefault(key, unit) | unit & _FAILED
    for unit in table.values():
        arm = total.of(is_candidate=bool(unit & _CANDIDATE))
        arm.units += 1
        arm.failures += unit & _FAILED
        arm.bins[unit >> _PLACE] += 1
    return total


def bound_above(totals: ArmTotals, share: float) -> int | None:
    """Return the first of ``BOUNDS`` that at most ``share`` of an arm's units exceed.

    ``None`` if nothing was counted, or too many took longer than the last of them.
    """
    if not totals.units:
        return None
    above = totals.bins.sum() - np.cumsum(totals.bins)[:-1]
    found = np.flatnonzero(above <= share * totals.units)
    return int(found[0]) if found.size else None


def bins_of(factor: float) -> int:
    """Return how many bins a factor of the seconds is, rounded up."""
    return math.ceil(round(math.log(factor) / math.log(STEP), 9))


class _Plain:
    """Units of one arm, in what is cheap to add to."""

    __slots__ = ("_bins", "_failures", "_units")

    def __init__(self) -> None:
        self._units = self._failures = 0
        self._bins = [0] * _BINS

    def note(self, place: int, failed: int) -> None:
        self._units += 1
        self._failures += failed
        self._bins[place] += 1

    def totals(self) -> ArmTotals:
        return ArmTotals(self._units, self._failures, np.array(self._bins, np.int64))


def _packed(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()
