"""Findings: what looks wrong in a user's data, so that its figures may mislead."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.console.number_format import percentage

# How many of several rows or names a sentence lists.
_TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding.

    Attributes:
        sentence: what was found, with the numbers, and what to do about it.
        blocks: whether figures or contract mean nothing until it is settled; such a version is
            published only with --force.
    """

    sentence: str
    blocks: bool = False

    def to_json(self) -> dict[str, Any]:
        return {"sentence": self.sentence, "blocks": self.blocks}


def findings_of(summary: Mapping[str, Any]) -> list[Finding]:
    """Return the findings that a task's summary of its data holds; standard data has none."""
    return [Finding(**found) for found in summary.get("findings", ())]


def first(places: Sequence[str]) -> str:
    """Return the first of some places, and how many there are besides."""
    more = f" and {len(places) - _TOLD:,} more" if len(places) > _TOLD else ""
    return f"{', '.join(places[:_TOLD])}{more}"


def share(part: int, whole: int) -> str:
    """Return a part in words: "12 of 800 rows (1.5 %)"."""
    return f"{part:,} of {whole:,} rows ({percentage(part / whole)})"


def findings_to_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings for the card; what blocks comes first."""
    return [each.to_json() for each in sorted(findings, key=lambda found: not found.blocks)]
