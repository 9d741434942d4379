"""Writes a retraining's result for the textfile collector of Prometheus' node exporter."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from training.errors import UsageError

OUTCOMES = ("published", "refused", "no_new_data", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """How a retraining went.

    Attributes:
        model: its name.
        outcome: one of ``OUTCOMES``.
        ended: seconds since 1970.
        seconds: how long it took.
        version: the number of the version that was published; ``None`` when none was.
        metrics: what was measured of the version that was trained, by name; empty without one.
    """

    model: str
    outcome: str
    ended: float
    seconds: float
    version: int | None
    metrics: Mapping[str, float]


def write_textfile(path: Path, retrained: Retrained) -> None:
    """Write the file so that the collector sees the old one or the new one, never half.

    Raises:
        OSError: it cannot be written.
    """
    registry = CollectorRegistry()

    def gauge(name: str, help_: str, value: float, **labels: str) -> None:
        known = families.get(name) or Gauge(
            f"understudy_retrain_{name}", help_, ["model", *labels], registry=registry
        )
        families[name] = known
        known.labels(retrained.model, *labels.values()).set(value)

    families: dict[str, Gauge] = {}
    gauge("end_timestamp_seconds", "When the last retraining ended.", retrained.ended)
    gauge("duration_seconds", "How long it took.", retrained.seconds)
    for outcome in OUTCOMES:
        held = float(outcome == retrained.outcome)
        gauge("outcome", "1 for how it ended, 0 for the others.", held, outcome=outcome)
    if retrained.version is not None:
        gauge("published_version", "The version that it published.", retrained.version)
    for name, value in retrained.metrics.items():
        gauge("metric", "What was measured of what it trained.", value, metric=name)
    write_to_textfile(str(path), registry)


def check_place(metrics_file: Path) -> None:
    """Check before the training what would fail after it.

    Raises:
        UsageError: there is no folder for the file, or the collector would not read it.
    """
    if not metrics_file.parent.is_dir():
        raise UsageError(f"There is no folder {metrics_file.parent} for {metrics_file.name}.")
    if metrics_file.suffix != ".prom" or metrics_file.is_dir():
        raise UsageError(
            f"The textfile collector reads files whose names end in .prom, not {metrics_file}."
        )
