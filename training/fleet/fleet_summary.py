"""What a fleet came to: a table for people, a file for Prometheus' textfile collector."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from training.console.terminal_table import print_table
from training.fleet.member_training import OUTCOMES, MemberVerdict


def print_summary(verdicts: Sequence[MemberVerdict]) -> None:
    """Print a line for each member, by its name."""
    rows = [
        (
            verdict.member,
            verdict.outcome.replace("_", " "),
            "-" if verdict.version is None else str(verdict.version),
            f"{verdict.seconds:.0f}",
            verdict.why,
        )
        for verdict in sorted(verdicts, key=lambda verdict: verdict.member)
    ]
    print_table(("training", "outcome", "version", "seconds", "why"), rows)


def write_fleet_textfile(
    path: Path, fleet: str, verdicts: Sequence[MemberVerdict], ended: float
) -> None:
    """Write how many members ended in which way, so that the collector never sees half of it.

    Args:
        path: of the file.
        fleet: the fleet's name.
        verdicts: of all its members.
        ended: when the last one ended, in seconds since 1970.

    Raises:
        OSError: it cannot be written.
    """
    registry = CollectorRegistry()
    counts = Counter(verdict.outcome for verdict in verdicts)
    members = Gauge(
        "understudy_fleet_trainings",
        "Trainings of the fleet's last run, by outcome.",
        ["fleet", "outcome"],
        registry=registry,
    )
    for outcome in OUTCOMES:
        members.labels(fleet, outcome).set(counts[outcome])
    end = Gauge(
        "understudy_fleet_end_timestamp_seconds",
        "When the fleet's last run ended.",
        ["fleet"],
        registry=registry,
    )
    end.labels(fleet).set(ended)
    write_to_textfile(str(path), registry)
