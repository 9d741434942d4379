"""How good a version's live answers are, by the audits that people labelled, against its card."""

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.events.event_store import EventStore
from service.monitoring.drift.live_quality import (
    Harm,
    confidence_sequence,
    harm,
    quality_sentence,
)
from service.repository.contract import Contract, Field
from service.repository.model_card import Card

# By how much the mean loss may be above the card's; as a rollout's error_margin.
TOLERANCE = 0.01
# Of numbers without a range: how many times the mean absolute error on the card counts as 1.
_ERRORS_ON_CARD = 10
# Audits that are looked at, and for how long what they come to is good enough.
_MOST = 20_000
_AGE_S = 10.0
_NOT_MEASURED = (
    "No audited answer can be measured: its signature is gone, or neither contract nor card says "
    "how far off a number may be."
)


@dataclass(frozen=True, slots=True)
class AuditedAnswer:
    """An answer and what turned out to be true of it.

    Attributes:
        signature: the signature that was called.
        outputs: the row of the answer, outputs by name.
        truth: true outputs by name.
    """

    signature: str
    outputs: Mapping[str, Any]
    truth: Mapping[str, Any]


class AuditedQuality:
    """Reads the audits of versions, each version's at most once in some seconds."""

    def __init__(self, store: EventStore) -> None:
        """Nothing is read yet.

        Args:
            store: has the audits.
        """
        self._store = store
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], tuple[float, dict[str, Any]]] = {}

    def report(
        self, model: str, version: int, contract: Contract, card: Card | None
    ) -> dict[str, Any]:
        """Return what is known of a version's live quality, as JSON; as ``quality_report``.

        Raises:
            StoreError: the store cannot be used now.
        """
        with self._lock:
            read_at, found = self._known.get((model, version), (-math.inf, {}))
            if time.monotonic() - read_at > _AGE_S:
                rows = self._store.audited(model, version, _MOST)
                answers = [AuditedAnswer(*row) for row in rows]
                found = quality_report(answers, contract, card)
                self._known[model, version] = time.monotonic(), found
            return found


def quality_report(
    answers: Sequence[AuditedAnswer], contract: Contract, card: Card | None
) -> dict[str, Any]:
    """Return the mean loss of audited answers with its interval, against the card's.

    The loss of a class is 1 where it is wrong. That of a number is its distance from the truth, as
    a share of the range that the contract gives it, or of ten times the mean absolute error on the
    card; what is farther off counts as 1.

    Args:
        answers: in the order in which their truths came.
        contract: of the version that answered.
        card: the version's, whose headline is compared if it is an accuracy or a mean absolute
            error with an interval.
    """
    headline = _headline(card)
    losses = [loss for each in answers if (loss := _loss(each, contract, headline)) is not None]
    live = confidence_sequence(np.array(losses))
    expected = _risk_on_card(contract, headline)
    verdict = Harm.OPEN
    if expected is not None:
        low, high = expected
        verdict = harm(live, high, low, TOLERANCE)
    sentence = quality_sentence(live, verdict, TOLERANCE)
    if expected is not None:
        sentence += f" The card's mean loss lies between {low:.3f} and {high:.3f}."
    elif answers and not losses:
        sentence = _NOT_MEASURED
    return {
        "audits": live.truths,
        "mean_loss": live.mean if live.truths else None,
        "low": live.low,
        "high": live.high,
        "card": None if expected is None else {"low": low, "high": high},
        "verdict": str(verdict),
        "sentence": sentence,
    }


@dataclass(frozen=True, slots=True)
class _Headline:
    """The number that an evaluation comes to, with its interval."""

    name: str
    value: float
    low: float
    high: float

    @property
    def is_accuracy(self) -> bool:
        return "accuracy" in self.name

    @property
    def is_error(self) -> bool:
        return "MAE" in self.name


def _headline(card: Card | None) -> _Headline | None:
    found = card.evaluation.get("headline") if card is not None else None
    if not isinstance(found, dict):
        return None
    numbers: list[Any] = [found.get(key) for key in ("value", "low", "high")]
    if not all(isinstance(each, int | float) for each in numbers):
        return None
    return _Headline(str(found.get("name")), *numbers)


def _loss(answer: AuditedAnswer, contract: Contract, headline: _Headline | None) -> float | None:
    signature = contract.get(answer.signature)
    if signature is None:
        return None
    field = signature.outputs[0]
    said, true = answer.outputs.get(field.name), answer.truth.get(field.name)
    if said is None or true is None:
        return None
    if not _is_measured(field):
        return float(said != true)
    largest = _largest_error(field, headline)
    if largest is None or not isinstance(said, int | float) or not isinstance(true, int | float):
        return None
    return min(abs(said - true) / largest, 1.0)


def _is_measured(field: Field) -> bool:
    """Whether an answer can be nearly right: a number that stands for no class."""
    return field.is_float and not field.choices


def _largest_error(field: Field, headline: _Headline | None) -> float | None:
    """Return which error of a number counts as 1."""
    if field.minimum is not None and field.maximum is not None and field.maximum > field.minimum:
        return field.maximum - field.minimum
    if headline is not None and headline.is_error and headline.value > 0:
        return _ERRORS_ON_CARD * headline.value
    return None


def _risk_on_card(contract: Contract, headline: _Headline | None) -> tuple[float, float] | None:
    """Return the interval of the mean loss that a card's headline stands for."""
    if headline is None:
        return None
    field = next(iter(contract.values())).outputs[0]
    if not _is_measured(field):
        return (1 - headline.high, 1 - headline.low) if headline.is_accuracy else None
    largest = _largest_error(field, headline)
    if largest is None or not headline.is_error:
        return None
    return headline.low / largest, headline.high / largest
