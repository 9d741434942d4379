"""What a part of the service costs that is on and off by turns within one worker."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median

from benchmarks.errors import BenchmarkError
from benchmarks.medians import MedianInterval, median_interval

# The environment variables that say what alternates, and where its turns are written.
PART, TURNS_FILE = "BENCHMARK_PART", "BENCHMARK_TURNS_FILE"


class Alternating(StrEnum):
    """A part that ``benchmarks.servers.alternating`` turns on and off."""

    KEYS = "keys"
    SERVER_TIMING = "server-timing"
    EVENTS = "events"
    TRIAL = "trial"

    @property
    def turn_s(self) -> float:
        """For how long it is measured on, and off, in seconds."""
        return _TURN_S.get(self, _SHORT_S)

    @property
    def settles_s(self) -> float:
        """For how long it is on, or off, before it is measured, in seconds."""
        return _SETTLES_S.get(self, 0.0)


_SHORT_S = 0.1
_TURN_S = {Alternating.EVENTS: 1.0, Alternating.TRIAL: 2.0}
# Until what the other turn has left to do later is done: the writer puts requests into the store
# each half second, and of those that are to be answered again no more than 200 wait.
_SETTLES_S = {Alternating.EVENTS: 0.75, Alternating.TRIAL: 1.5}


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn.

    Attributes:
        is_on: whether the part was on.
        began_ns: when it began, in nanoseconds of ``time.monotonic``, which all processes share.
        ended_ns: when it ended.
        cpu_ns: processor time of the worker, all its threads, in nanoseconds.
        requests: how many requests it has answered.
    """

    is_on: bool
    began_ns: int
    ended_ns: int
    cpu_ns: int
    requests: int

    @property
    def cost_us(self) -> float:
        """Processor time of a request, in microseconds; NaN where there was none."""
        return self.cpu_ns / 1e3 / self.requests if self.requests else math.nan

    def to_line(self) -> str:
        """Return it as a line of the file of turns."""
        fields = (int(self.is_on), self.began_ns, self.ended_ns, self.cpu_ns, self.requests)
        return f"{' '.join(map(str, fields))}\n"


@dataclass(frozen=True, slots=True)
class PartCost:
    """What a part costs a request.

    Attributes:
        without_us: processor time of a request without the part, in microseconds.
        added_us: what the part adds to it, in the median over pairs of turns.
        pairs: how many pairs there were.
    """

    without_us: float
    added_us: MedianInterval
    pairs: int

    @property
    def share(self) -> str:
        """What the part adds, as a share of a request without it, with the 95 % interval."""
        middle, low, high = (each / self.without_us for each in self.added_us)
        return f"{middle:+.1%} ({low:+.1%} to {high:+.1%})"


def read_turns(path: Path) -> list[Turn]:
    """Return the turns in a file, but for a last one that is not wholly written."""
    lines = path.read_text().splitlines(keepends=True)
    numbers = [list(map(int, line.split())) for line in lines if line.endswith("\n")]
    return [Turn(bool(is_on), *others) for is_on, *others in numbers]


def pairs_of(turns: Sequence[Turn]) -> list[tuple[Turn, Turn]]:
    """Return neighbouring turns, of which the first has the part and the other has not.

    Turns without requests, or with less than half of what is usual (the load began or ended, or the
    machine stood still), are left out with their neighbours.

    Raises:
        BenchmarkError: there are no such turns.
    """
    usual = median([turn.requests for turn in turns if turn.requests] or [0])
    pairs, rest = [], list(reversed(turns))
    while len(rest) > 1:
        one, other = rest.pop(), rest[-1]
        # The file may begin between two turns of one kind.
        if one.is_on == other.is_on:
            continue
        rest.pop()
        if min(one.requests, other.requests) > usual / 2:
            pairs.append((one, other) if one.is_on else (other, one))
    if not pairs:
        raise BenchmarkError("No two turns had enough requests to compare.")
    return pairs


def part_cost(pairs: Sequence[tuple[Turn, Turn]]) -> PartCost:
    """Compare the cost of a request in turns with a part and in turns without it."""
    added = median_interval([on.cost_us - off.cost_us for on, off in pairs])
    return PartCost(median([off.cost_us for _, off in pairs]), added, len(pairs))
