"""The gate that refuses a version that is worse than the one that serves."""

import math
from collections.abc import Mapping
from typing import Any

from service.repository.errors import RepositoryError
from service.repository.model_card import Card
from training.errors import TrainingError
from training.evaluation.out_of_fold import read_errors
from training.evaluation.paired_comparison import Comparison, compare_answers, compare_out_of_fold
from training.publishing import saved_model_export
from training.publishing.gate_report import Candidate, GateResult
from training.publishing.live_version import LiveVersion
from training.tasks.task_interface import Task


def run_comparison_gate(
    task: Task[Any], data: Any, candidate: Candidate, incumbent: LiveVersion, comparable: bool
) -> GateResult:
    """Decide whether a version is worse than the live one.

    Args:
        task: the model.
        data: its data, the test set among it.
        candidate: the new version.
        incumbent: the live version.
        comparable: whether both have contracts that allow a comparison.
    """
    live = f"live version {incumbent.version}"
    if not comparable or incumbent.card is None:
        why = "their contracts differ" if incumbent.card else "it has no card"
        sentence = f"Not compared with {live}: {why}."
        return GateResult(gate="comparison", passed=True, sentence=sentence)
    try:
        compared = compare_with_live(task, data, candidate, incumbent)
    except (TrainingError, RepositoryError) as error:
        sentence = f"Cannot be compared with {live}: {error}"
        return GateResult(gate="comparison", passed=False, sentence=sentence)
    if compared is None:
        return _by_card(candidate.evaluation["headline"], incumbent.card, live)
    return GateResult(
        gate="comparison",
        passed=not compared.is_regression,
        sentence=compared.sentence(incumbent.version),
        figures=compared.to_json(),
    )


def compare_with_live(
    task: Task[Any], data: Any, candidate: Candidate, incumbent: LiveVersion
) -> Comparison | None:
    """Compare on the same examples, paired; ``None`` where no examples are common to both.

    A version that was measured by cross-validation is compared by it, on the examples that the live
    one's had too: no network answers for an example that it learned from. All others are compared
    on the test set, which the live version answers anew.

    Raises:
        TrainingError: the live version cannot be loaded.
        RepositoryError: the live version's cross-validation cannot be read.
    """
    out_of_fold = candidate.exportable.out_of_fold
    if out_of_fold is not None:
        errors = read_errors(incumbent.folder)
        return None if errors is None else compare_out_of_fold(out_of_fold, errors)
    live = task.answers(data, saved_model_export.open_saved_model(incumbent.folder))
    return compare_answers(candidate.answers, live)


def _by_card(headline: Mapping[str, Any], card: Card, live: str) -> GateResult:
    """Compare with the live version's own interval, where there are no examples to pair."""
    claimed = card.evaluation.get("headline", {})
    limit = float(claimed.get("high", math.inf))
    sentence = f"{live.capitalize()} has no cross-validation of the same examples; "
    if math.isfinite(limit):
        sentence += (
            f"by its card its error is at most {limit:.4f} (95 % confidence), "
            f"and that of the new one is {headline['value']:.4f}."
        )
    else:
        sentence += "its card has no error either, so they are not compared."
    return GateResult(gate="comparison", passed=headline["value"] <= limit, sentence=sentence)
