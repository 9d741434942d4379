"""What a run found, and the arithmetic on it: medians over rounds, ratios within a round."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.measure import Measurement

Figure = Callable[[Measurement], float]


@dataclass(frozen=True, slots=True)
class Memory:
    """What a server's process tree holds after all its cases were run once."""

    pss_bytes: int
    processes: int


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, with the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread | None":
        """Return the spread of the values; ``None`` when there are none."""
        return cls(median(values), min(values), max(values)) if values else None


@dataclass(slots=True)
class Results:
    """The measurements of a run.

    Attributes:
        rounds: by the case's name and the server's, its measurements by round.
        memory: by the server's name.
        failures: what could not be measured, a sentence each.
    """

    rounds: dict[tuple[str, str], dict[int, Measurement]] = field(default_factory=dict)
    memory: dict[str, Memory] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, case: str, server: str, round_: int, measurement: Measurement) -> None:
        """Keep one measurement."""
        self.rounds.setdefault((case, server), {})[round_] = measurement

    def figure(self, case: str, server: str, figure: Figure) -> Spread | None:
        """Return the spread of a figure over the rounds."""
        return Spread.of([figure(m) for m in self.rounds.get((case, server), {}).values()])

    def ratio(self, case: str, server: str, base: str, figure: Figure) -> Spread | None:
        """Return the spread of a figure's ratio to another server's in the same round."""
        ours, theirs = (self.rounds.get((case, name), {}) for name in (server, base))
        return Spread.of(
            [figure(ours[i]) / figure(theirs[i]) for i in ours if i in theirs and figure(theirs[i])]
        )

    def over_best(self, case: str, server: str, figure: Figure) -> Spread | None:
        """Return the spread of a figure's ratio to the greatest of all others in the same round."""
        greatest: dict[int, float] = {}
        for (other_case, other), by_round in self.rounds.items():
            if other_case == case and other != server:
                for round_, measurement in by_round.items():
                    greatest[round_] = max(greatest.get(round_, 0.0), figure(measurement))
        ours = self.rounds.get((case, server), {})
        return Spread.of([figure(ours[i]) / greatest[i] for i in ours if greatest.get(i)])

    def over_case(self, case: str, base: str, server: str, figure: Figure) -> Spread | None:
        """Return the spread of a figure's ratio to the server's own in another case, by round."""
        these, those = (self.rounds.get((name, server), {}) for name in (case, base))
        return Spread.of(
            [figure(these[i]) / figure(those[i]) for i in these if i in those and figure(those[i])]
        )

    def failed(self, case: str, server: str) -> dict[str, int]:
        """Add up the requests that failed in all rounds, by what."""
        total: dict[str, int] = {}
        for measurement in self.rounds.get((case, server), {}).values():
            for kind, count in measurement.failed.items():
                total[kind] = total.get(kind, 0) + count
        return total

    def elsewhere(self) -> Spread | None:
        """Return the spread of the machine's time that went elsewhere, over all measurements."""
        return Spread.of(
            [m.elsewhere for by_round in self.rounds.values() for m in by_round.values()]
        )
