"""Where a version is in its life."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The states of a version, in the order of its life; any step can end in FAILED."""

    DISCOVERED = "discovered"
    VERIFYING = "verifying"
    LOADING = "loading"
    WARMING = "warming"
    PROVING = "proving"
    PROVED = "proved"
    AVAILABLE = "available"
    DRAINING = "draining"
    END = "end"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """What is known of one version.

    Attributes:
        version: its number.
        state: where it is in its life.
        reason: why it failed or what it waits for, in a sentence; else empty.
    """

    version: int
    state: State
    reason: str = ""
