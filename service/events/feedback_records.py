"""What people say is true of stored requests, and what they are asked to label."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.events.event_records import EventRecord
from service.repository.contract import DEFAULT_SIGNATURE


class Source(StrEnum):
    """Where a truth comes from: a user who volunteered it, or a labeller who was given the row."""

    USER = "user"
    AUDIT = "audit"


class Result(StrEnum):
    """What has become of a truth that was sent."""

    STORED = "stored"
    CORRECTED = "corrected"
    UNCHANGED = "unchanged"
    NOT_SAMPLED = "not_sampled"


class NotAuditedError(Exception):
    """Truths claim to be audits of rows that were not handed out as audits.

    Attributes:
        places: which of the truths, by their places in the list.
    """

    def __init__(self, places: list[int]) -> None:
        self.places = places
        super().__init__(f"{len(places)} truths are not audits.")


@dataclass(frozen=True, slots=True)
class Truth:
    """What turned out to be true of one instance of a request.

    Attributes:
        request_id: the request's id.
        instance: which of its instances, from 0.
        source: who says so.
        values: what outputs should have been, by name, as JSON values.
    """

    request_id: str
    instance: int
    source: Source
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredTruth(Truth):
    """A truth in the store.

    Attributes:
        given_at: when it, or its last correction, came: seconds since the epoch.
        corrections: how often it was corrected.
        weight: how many instances of all traffic one audit stands for; 0 of other truths.
    """

    given_at: float
    corrections: int
    weight: float


@dataclass(frozen=True, slots=True)
class Audit:
    """One instance of a request that is to be labelled."""

    event: EventRecord
    instance: int


@dataclass(frozen=True, slots=True)
class AuditedAnswer:
    """What a version answered to one instance, and what is true of it by its audit.

    Attributes:
        outputs: the answer, by output, as JSON values; without sensitive ones.
        truth: likewise, of the outputs that were labelled.
        signature: what was called.
    """

    outputs: dict[str, Any]
    truth: dict[str, Any]
    signature: str = DEFAULT_SIGNATURE
