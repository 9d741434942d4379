"""How good a version's live answers are against what its card says, from audits.

Audits alone count: people who are asked about a random row say how often the model is wrong; those
who correct it of their own accord say where. Each audited request counts once.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.events.feedback_records import AuditedAnswer
from service.events.row_loss import ERROR_RATE, row_loss
from service.monitoring.drift.live_quality import Harm, LiveRisk, confidence_sequence, harm
from service.repository.model_card import Card

WORSE, NOT_WORSE, OPEN, UNKNOWN = "worse", "not worse", "open", "unknown"
_STATES = {Harm.SHOWN: WORSE, Harm.EXCLUDED: NOT_WORSE, Harm.OPEN: OPEN}
# By so much the mean loss may be worse than the card says: two points of accuracy, or a fifth of
# the card's mean absolute error. What is smaller is no reason to train anew.
TOLERANCE = 0.02
# The chance that the sequences are ever wrong.
_ERROR = 0.05
_FIRST_RESTART = 50


@dataclass(frozen=True, slots=True)
class AuditedQuality:
    """What audits say of one version.

    Attributes:
        metric: "error rate", or "mean absolute error".
        unit: of the metric; empty where it has none.
        scale: what a loss of 1 is in the metric's unit.
        live: the mean loss of live answers, from 0 to 1; of the last ones, where these show harm.
        card: the lower and the upper end of the card's interval of the mean loss.
        verdict: whether live answers are worse.
    """

    metric: str
    unit: str
    scale: float
    live: LiveRisk
    card: tuple[float, float]
    verdict: Harm

    @property
    def sentence(self) -> str:
        """The same in words."""
        low, high = (self._shown(end) for end in self.card)
        if not self.live.truths:
            return (
                f"No audit of this version's answers is known yet; its card says {self.metric} "
                f"{low} to {high}{self._unit}."
            )
        known = (
            f"Over the last {self.live.truths:,} audits the {self.metric} is "
            f"{self._shown(self.live.mean)}, and the true one between "
            f"{self._shown(self.live.low)} and {self._shown(self.live.high)}{self._unit}; "
            f"the card says {low} to {high}"
        )
        most = f"{self._shown(TOLERANCE)}{self._unit}"
        if self.verdict is Harm.SHOWN:
            return f"{known}. Live answers are worse than the card says, by more than {most}."
        if self.verdict is Harm.EXCLUDED:
            return f"{known}. Live answers are not worse than the card says by more than {most}."
        return f"{known}. It is open whether live answers are worse; more audits are needed."

    def report(self) -> dict[str, Any]:
        """Return it as JSON, with all numbers in the metric's unit."""
        return {
            "state": _STATES[self.verdict],
            "sentence": self.sentence,
            "metric": self.metric,
            "unit": self.unit,
            "audits": self.live.truths,
            "live": self._interval(self.live.mean, self.live.low, self.live.high),
            "card": self._interval(None, *self.card),
            "tolerance": TOLERANCE * self.scale,
            "largest_error": self.scale,
        }

    @property
    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""

    def _shown(self, loss: float) -> str:
        return f"{loss * self.scale:.3g}"

    def _interval(self, mean: float | None, low: float, high: float) -> dict[str, float | None]:
        is_known = mean is not None and np.isfinite(mean)
        return {
            "value": mean * self.scale if mean is not None and is_known else None,
            "low": low * self.scale,
            "high": high * self.scale,
        }


def unknown_quality(sentence: str) -> dict[str, Any]:
    """Return the report of a version of which nothing is known; why, the sentence says."""
    return {"state": UNKNOWN, "sentence": sentence}


def quality_report(card: Card | None, answers: Sequence[AuditedAnswer]) -> dict[str, Any]:
    """Return what ``audited_quality`` finds, as JSON."""
    found = audited_quality(card, answers)
    if found is None:
        return unknown_quality(
            "The version's card states no interval of the quality of its first output to compare "
            "audits with."
        )
    return found.report()


def audited_quality(card: Card | None, answers: Sequence[AuditedAnswer]) -> AuditedQuality | None:
    """Compare a version's audited answers with its card.

    Args:
        card: the version's.
        answers: its answers that were audited, in the order in which the truths came.

    Returns:
        what they say; ``None`` where the card states no interval of the quality of its first
        output, so that there is nothing to compare with.
    """
    headline = _headline(card)
    loss = row_loss(card.contract, card) if card is not None else None
    if loss is None or headline is None:
        return None
    low, high = headline
    name = loss.output.name
    losses = loss.losses(
        (each.outputs[name], each.truth[name])
        for each in answers
        if each.signature in loss.signatures and name in each.outputs and name in each.truth
    )
    stated = (1 - high, 1 - low)
    if loss.metric != ERROR_RATE:
        stated = (low / loss.scale, high / loss.scale)
    live, verdict = _judged_since_any_start(losses, *stated)
    return AuditedQuality(loss.metric, loss.unit, loss.scale, live, stated, verdict)


def _judged_since_any_start(
    losses: npt.NDArray[np.float64], low: float, high: float
) -> tuple[LiveRisk, Harm]:
    """Return the mean loss, and whether it is worse than the card's, since the start or later.

    Answers that were good before a drift would hide for long that they are bad after it. So the
    sequence is started anew after 50 losses, 100, 200, 400, and so on. Each start is given a part
    of the chance of an error, 1/2, 1/6, 1/12, ... of it, so that all of them together have it.

    Args:
        losses: in the order in which their truths came, [N].
        low: the lower end of the card's interval.
        high: its upper end.
    """
    whole = confidence_sequence(losses, 1 - _ERROR / 2)
    verdict = harm(whole, high, low, TOLERANCE)
    start, number = _FIRST_RESTART, 2
    while verdict is not Harm.SHOWN and start < len(losses):
        later = confidence_sequence(losses[start:], 1 - _ERROR / (number * (number + 1)))
        if harm(later, high, low, TOLERANCE) is Harm.SHOWN:
            return later, Harm.SHOWN
        start, number = 2 * start, number + 1
    return whole, verdict


def _headline(card: Card | None) -> tuple[float, float] | None:
    """Return the ends of the interval of the card's figure, as far as it states them."""
    headline = card.evaluation.get("headline") if card is not None else None
    if not isinstance(headline, Mapping):
        return None
    figures = [headline.get(key) for key in ("value", "low", "high")]
    value, low, high = (each if isinstance(each, int | float) else math.nan for each in figures)
    return (low, high) if value > 0 and low <= high else None
