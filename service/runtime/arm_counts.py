"""What the two arms of a rollout answered, in one worker and over all of them.

The unit is what the hash splits: a routing key. A client that repeats one key a thousand times
stands for one throw of the coin, so it counts once; requests whose id the service made itself are
all different, and are only counted.

How long answers take is not counted. Requests of one arm run together, so a pause of the machine
delays many of one arm at once, and the arm that has fewer requests has smaller batches: that says
nothing of the version. The shadow compares times (``service.rollout.shadow``). Answers that did not
come in time, or found no room, are as little independent, so moments of them are counted.
"""

import base64
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

# Keys that are remembered; then they are counted, and remembered anew.
_MOST_KEYS = 10_000

# Units by the hashes of their keys: each three bits.
_Table = dict[int, int]
_FAILED, _UNAVAILABLE, _CANDIDATE = 1, 2, 4
# The bit of the candidate's units as an earlier version has it; above it is how long answers took.
_CANDIDATE_OF_EARLIER = 2


class RequestOutcome(Enum):
    """What became of a request.

    Attributes:
        ANSWERED: it has its answer.
        FAILED: the model, or the service for it, refused or failed.
        UNAVAILABLE: there was no time or no room for it.
    """

    ANSWERED = 0
    FAILED = _FAILED
    UNAVAILABLE = _UNAVAILABLE


# Of HTTP: too many requests, unavailable, too late.
_NO_TIME_OR_ROOM = frozenset({429, 503, 504})


def outcome_of(status: int, *, is_unfit: bool) -> RequestOutcome:
    """Return what became of a request.

    Args:
        status: the HTTP status of its answer.
        is_unfit: whether the answer is no answer in spite of its status, such as NaN.
    """
    if status in _NO_TIME_OR_ROOM:
        return RequestOutcome.UNAVAILABLE
    return RequestOutcome.FAILED if status >= 400 or is_unfit else RequestOutcome.ANSWERED


@dataclass(slots=True)
class ArmTotals:
    """The units of one arm.

    Attributes:
        units: how many there were.
        failures: how many of them did not have their answer.
        unavailable: how many of those had no other failure than that there was no time or no room.
        seconds: how many seconds of a worker's time had requests.
        outages: in how many of those there was no time or no room for one of them.
    """

    units: int = 0
    failures: int = 0
    unavailable: int = 0
    seconds: int = 0
    outages: int = 0

    def __add__(self, other: "ArmTotals") -> "ArmTotals":
        mine, others = asdict(self), asdict(other)
        return ArmTotals(**{name: mine[name] + others[name] for name in mine})

    def note_unit(self, bits: int) -> None:
        """Count a unit that has ``bits``."""
        self.units += 1
        self.failures += bits & (_FAILED | _UNAVAILABLE) != 0
        self.unavailable += bits & (_FAILED | _UNAVAILABLE) == _UNAVAILABLE


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

    def __add__(self, other: "BothArms") -> "BothArms":
        return BothArms(self.champion + other.champion, self.candidate + other.candidate)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def arms_from_json(value: dict[str, Any]) -> BothArms:
    """Return what ``BothArms.to_json`` wrote; of an earlier version, what it knew of this."""
    names = asdict(ArmTotals())
    return BothArms(
        *(
            ArmTotals(**{name: arm[name] for name in names if name in arm})
            for arm in (value["champion"], value["candidate"])
        )
    )


class ArmCounts:
    """What one worker counts of one step of a rollout; any thread may note."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Counts of nothing; ``clock`` returns seconds."""
        self._lock = threading.Lock()
        self._clock = clock
        self._plain = BothArms()
        self._keys: _Table = {}
        # The last second that was counted, and that with an outage, by whether the candidate's.
        self._last_second = {False: -1, True: -1}
        self._last_outage = {False: -1, True: -1}

    def note(self, outcome: RequestOutcome, *, is_candidate: bool, key: int | None) -> None:
        """Count one request.

        Args:
            outcome: what became of it.
            is_candidate: whether it was the candidate's.
            key: the hash of its key where the client chose that.
        """
        second = int(self._clock())
        with self._lock:
            plain = self._plain.candidate if is_candidate else self._plain.champion
            if second != self._last_second[is_candidate]:
                self._last_second[is_candidate] = second
                plain.seconds += 1
            if outcome is RequestOutcome.UNAVAILABLE and second != self._last_outage[is_candidate]:
                self._last_outage[is_candidate] = second
                plain.outages += 1
            if key is None:
                plain.note_unit(outcome.value)
                return
            known = self._keys.get(key)
            if known is None:
                if len(self._keys) >= _MOST_KEYS:
                    self._count_keys()
                known = is_candidate * _CANDIDATE
            self._keys[key] = known | outcome.value

    def to_json(self) -> dict[str, Any]:
        """Return what was counted as a JSON object, for ``summed``."""
        with self._lock:
            plain = self._plain.to_json()
            count = len(self._keys)
            keys = np.fromiter(self._keys, np.uint64, count)
            bits = np.fromiter(self._keys.values(), np.uint8, count)
        return {**plain, "keys": _packed(keys), "bits": _packed(bits)}

    def _count_keys(self) -> None:
        for bits in self._keys.values():
            self._plain.of(is_candidate=bool(bits & _CANDIDATE)).note_unit(bits)
        self._keys.clear()


@dataclass(frozen=True, slots=True)
class WorkerUnits:
    """The units of one worker.

    Attributes:
        plain: those without a key, and those whose keys are forgotten.
        by_key: the others, by the hashes of their keys.
    """

    plain: BothArms
    by_key: Mapping[int, int]


def units_from_json(value: dict[str, Any]) -> WorkerUnits:
    """Return what ``ArmCounts.to_json`` returned, also in an earlier version.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    keys = np.frombuffer(base64.b64decode(value["keys"]), np.uint64).tolist()
    bits = _bits_of_earlier(value["units"]) if "units" in value else _unpacked_bits(value["bits"])
    return WorkerUnits(arms_from_json(value), dict(zip(keys, bits.tolist(), strict=True)))


def summed(workers: Iterable[WorkerUnits]) -> BothArms:
    """Return the units of all workers; a key that several have seen is one unit."""
    total = BothArms()
    table: _Table = {}
    for each in workers:
        total += each.plain
        for key, bits in each.by_key.items():
            table[key] = table.get(key, 0) | bits
    for bits in table.values():
        total.of(is_candidate=bool(bits & _CANDIDATE)).note_unit(bits)
    return total


def _unpacked_bits(packed: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(base64.b64decode(packed), np.uint8)


def _bits_of_earlier(packed: str) -> npt.NDArray[np.uint8]:
    """Return the bits of units as an earlier version packed them, which a replica may still be."""
    units = np.frombuffer(base64.b64decode(packed), np.uint16)
    # It did not tell whether there was no time or no room from other failures.
    bits = (units & _FAILED).astype(np.uint8)
    bits[units & _CANDIDATE_OF_EARLIER != 0] |= _CANDIDATE
    return bits


def _packed(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(array.tobytes()).decode()
