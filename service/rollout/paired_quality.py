"""What audits say of both versions of a rollout, from rows that both have answered.

Each look goes by a snapshot of the store: the rows that were handed out, with the truths as they
are now. So a truth that comes late counts from then on, and one that was corrected counts once, as
it is now.

Two things are asked. Harm is shown by rows whose truth is known. Harm is excluded by all rows that
were handed out: one whose truth is not known counts as if the candidate had lost by as much as the
two answers differ. So nobody makes a candidate pass by choosing which rows to label.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from service.events.row_loss import RowLoss
from service.events.second_answers import AuditedPair
from service.repository.rollout_policy import RolloutRules
from service.rollout.paired_betting import (
    Numbers,
    grouped,
    log_evidence_of_worse,
    stakes_of,
    upper_bound_of_worse,
)
from service.rollout.percentages import in_percent


@dataclass(frozen=True, slots=True)
class PairedQuality:
    """What audits say of both versions; losses and differences are in ``unit``s over ``scale``.

    Attributes:
        metric: what the mean loss is; empty where the champion's answers cannot be judged.
        unit: of the metric; empty where it has none.
        scale: what a loss of 1 is in the metric's unit.
        handed_out: rows that both answered and that were handed out.
        truths: those of them whose truth is known.
        lost: those on which the candidate is farther from the truth.
        won: those on which the champion is.
        champion: the champion's mean loss, weighted; 0 without a truth.
        candidate: the candidate's.
        log_evidence: the log evidence that the candidate's is larger.
        difference_at_most: an upper bound of the candidate's minus the champion's; 1 says nothing.
        problem: why the truths cannot be read now, in a sentence; empty if they can.
    """

    metric: str = ""
    unit: str = ""
    scale: float = 1.0
    handed_out: int = 0
    truths: int = 0
    lost: int = 0
    won: int = 0
    champion: float = 0.0
    candidate: float = 0.0
    log_evidence: float = 0.0
    difference_at_most: float = 1.0
    problem: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)

    def missing(self, rules: RolloutRules, following: float) -> str:
        """Return what truths do not exclude yet before the next step; empty if nothing is missing.

        Args:
            rules: of the rollout.
            following: the share of the requests that the candidate answers at the next step.
        """
        if self.problem:
            return self.problem
        if rules.min_truths and not self.metric:
            return "Truths cannot judge it: the champion's card says nothing to judge answers by."
        if self.truths < rules.min_truths:
            return f"The truths of {self.truths} of {rules.min_truths} rows are known."
        allowed = allowed_difference(rules, following)
        # At the largest margin there is nothing to exclude.
        if self.truths and rules.quality_margin < 1 and not self.difference_at_most < allowed:
            return (
                f"By the truths its {self.metric} may be up to "
                f"{self.shown(self.difference_at_most)} larger."
            )
        return ""

    def shown(self, loss: float) -> str:
        """Return a loss, or a difference of losses, as people read it."""
        if not self.unit and self.scale == 1:
            return in_percent(loss)
        return f"{loss * self.scale:.3g} {self.unit}".rstrip()


def allowed_difference(rules: RolloutRules, following: float) -> float:
    """Return by how much the candidate's mean loss may be larger at the next step."""
    return min(1.0, rules.quality_margin / following)


def paired_quality(
    loss: RowLoss | None, pairs: Sequence[AuditedPair], alpha: float
) -> PairedQuality:
    """Return what audits say of both versions.

    Args:
        loss: how the champion's answers are judged; ``None`` if they cannot be.
        pairs: the rows that both answered and that were handed out, in that order.
        alpha: the chance that the bound is ever wrong, at most.
    """
    if loss is None:
        return PairedQuality()
    name = loss.output.name
    judged = [
        each
        for each in pairs
        if each.signature in loss.signatures and name in each.champion and name in each.candidate
    ]
    if not judged:
        return PairedQuality(loss.metric, loss.unit, loss.scale)
    weights = np.array([each.weight for each in judged], np.float64)
    stakes = stakes_of(weights)
    is_known = np.array([each.truth is not None and name in each.truth for each in judged])
    known = [each for each, known in zip(judged, is_known, strict=True) if known]
    truths = [each.truth[name] for each in known if each.truth is not None]
    own = loss.losses(zip([each.candidate[name] for each in known], truths, strict=True))
    others = loss.losses(zip([each.champion[name] for each in known], truths, strict=True))
    # Without its truth, a row counts as far as the losses can be apart.
    differences = loss.losses((each.candidate[name], each.champion[name]) for each in judged)
    differences[is_known] = own - others
    shown = grouped(differences[is_known], stakes[is_known])
    return PairedQuality(
        loss.metric,
        loss.unit,
        loss.scale,
        handed_out=len(judged),
        truths=len(known),
        lost=int((own > others).sum()),
        won=int((own < others).sum()),
        champion=_mean(others, weights[is_known]),
        candidate=_mean(own, weights[is_known]),
        log_evidence=log_evidence_of_worse(shown),
        difference_at_most=upper_bound_of_worse(grouped(differences, stakes), alpha),
    )


def _mean(losses: Numbers, weights: Numbers) -> float:
    return float(np.average(losses, weights=weights)) if len(losses) else 0.0
