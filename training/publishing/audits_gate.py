"""The gate that refuses a version that is worse than the live one on last week's audits.

Audits are truths that were asked for about a random sample of live rows, so that they measure what
clients get. The versions are compared on the same rows, weighted by how many rows of all traffic
each stands for (Horvitz and Thompson 1952, as the ratio of Hajek). Rows that either version has
learned from are left out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from service.repository.errors import RepositoryError
from training.array_types import Predict
from training.data.feedback.merging import Audited
from training.data.feedback.row_form import RowForm
from training.errors import TrainingError
from training.evaluation.significance import LEVEL, weighted_sign_flips
from training.publishing import saved_model_export
from training.publishing.gate_report import GateResult
from training.publishing.learned_feedback import read_learned
from training.publishing.live_version import LiveVersion

GATE = "audits"
# Of fewer, a loss of ten points of accuracy would mostly pass as luck.
LEAST = 50


def run_audits_gate(
    form: RowForm[Any],
    held: Sequence[Audited],
    predict: Predict,
    incumbent: LiveVersion,
    comparable: bool,
) -> GateResult:
    """Decide whether a version is worse than the live one on what clients ask today.

    Args:
        form: how audits are asked.
        held: the audits that the new version has not learned from.
        predict: calls the new version.
        incumbent: the live version.
        comparable: whether both have contracts that allow a comparison.

    Raises:
        RepositoryError: what the live version has learned from cannot be read.
    """
    live = f"live version {incumbent.version}"
    if not comparable or incumbent.card is None:
        return _open(f"Not compared with {live} on audits: their contracts differ.", len(held))
    known = read_learned(incumbent.folder)
    fair = [audit for audit in held if audit.row.key not in known]
    if len(fair) < LEAST:
        return _open(
            f"{len(fair):,} audits of the last week that neither version learned from; at least "
            f"{LEAST} are needed to compare with {live}. Nothing is claimed.",
            len(fair),
        )
    rows = [audit.row for audit in fair]
    inputs, truths = form.inputs(rows), [row.target for row in rows]
    weights = np.array([audit.weight for audit in fair], np.float64)
    is_number = isinstance(truths[0], float)

    def losses(call: Predict) -> npt.NDArray[np.float64]:
        return _losses(call(form.signature, inputs)[form.output], truths, is_number)

    try:
        old = losses(saved_model_export.open_saved_model(incumbent.folder))
    except (TrainingError, RepositoryError) as error:
        sentence = f"Cannot be compared with {live} on audits: {error}"
        return GateResult(gate=GATE, passed=False, sentence=sentence)
    new = losses(predict)
    if lost := int((~np.isfinite(new)).sum()):
        sentence = f"{lost:,} of {len(fair):,} audits of the last week are answered with no number."
        return GateResult(gate=GATE, passed=False, sentence=sentence, figures={"audits": len(fair)})
    # Where the live version gives no number there is nothing to be worse than.
    old = np.where(np.isfinite(old), old, new)
    harm = weighted_sign_flips(new - old, weights)
    shares = weights / weights.sum()
    metric = "MAE" if is_number else "error rate"
    was, is_now = float(old @ shares), float(new @ shares)
    passed = not (harm.mean > 0 and harm.p < LEVEL)
    verdict = "Not shown to be worse than" if passed else "Worse than"
    return GateResult(
        gate=GATE,
        passed=passed,
        sentence=(
            f"{verdict} {live} on {len(fair):,} audits of the last week that neither learned from: "
            f"{metric} {is_now:.4f} instead of {was:.4f} (difference {harm.mean:+.4f}, 90 % "
            f"interval {harm.low:+.4f} to {harm.high:+.4f}; paired sign flips, p {harm.p:.4f})."
        ),
        figures={
            "metric": metric,
            "audits": len(fair),
            "left_out": len(held) - len(fair),
            "live": was,
            "new": is_now,
            "difference": harm.mean,
            "interval": [harm.low, harm.high],
            "confidence": 1 - 2 * LEVEL,
            "p": harm.p,
            "test": "paired sign flips, weighted, one-sided",
            "significant_below": LEVEL,
        },
    )


def _open(sentence: str, audits: int) -> GateResult:
    return GateResult(gate=GATE, passed=True, sentence=sentence, figures={"audits": audits})


def _losses(
    answers: Any, truths: Sequence[str | float], is_number: bool
) -> npt.NDArray[np.float64]:
    """Return by how much each answer misses, or 1 where it names another class, [N]."""
    if is_number:
        return np.abs(np.asarray(answers, np.float64) - np.array(truths, np.float64))
    named = [each.decode() if isinstance(each, bytes) else str(each) for each in answers.tolist()]
    return np.array([a != t for a, t in zip(named, truths, strict=True)], np.float64)
