"""What a version must pass to be published: each gate's result, and the figures it rests on."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.repository.contract import Contract
from service.repository.errors import RepositoryError
from service.repository.model_card import Card
from training.array_types import Predict
from training.data.own.findings import findings_of
from training.errors import TrainingError
from training.evaluation.better_than_chance import beyond_luck
from training.evaluation.out_of_fold import read_errors
from training.evaluation.paired_comparison import Comparison, compare_answers, compare_out_of_fold
from training.evaluation.predictions import Predictions
from training.publishing import saved_model_export, serving_skew
from training.publishing.contract_compatibility import broken_promises
from training.publishing.golden_regression import lost_answers
from training.publishing.live_version import LiveVersion
from training.tasks.task_interface import Exportable, Task

# Golden examples that are told of when several are lost.
_TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version that wants to be published.

    Attributes:
        exportable: what it was exported from.
        predict: calls it.
        answers: its answers to the full test set.
        evaluation: what was measured, as for the card.
        of_own_data: whether a user brought the data: nobody knows what is to be reached with it.
    """

    exportable: Exportable
    predict: Predict
    answers: Predictions
    evaluation: Mapping[str, Any]
    of_own_data: bool = False

    @property
    def contract(self) -> Contract:
        return self.exportable.contract


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What one gate says.

    Attributes:
        gate: its name.
        passed: whether the version may pass.
        sentence: why, with the numbers.
        figures: the numbers as JSON; empty where the sentence says all.
    """

    gate: str
    passed: bool
    sentence: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        value = {"gate": self.gate, "passed": self.passed, "because": self.sentence}
        return value | ({"figures": dict(self.figures)} if self.figures else {})


@dataclass(frozen=True, slots=True)
class GateReport:
    """What all gates say.

    Attributes:
        results: of each gate that had something to look at.
        live: the number of the version that serves; ``None`` when none does.
    """

    results: tuple[GateResult, ...]
    live: int | None

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)

    def refusals(self) -> list[str]:
        """Return the sentences of the gates that were not passed."""
        return [result.sentence for result in self.results if not result.passed]

    def to_json(self) -> dict[str, Any]:
        """Return the report for the card."""
        return {
            "live_version": self.live,
            "passed": self.passed,
            "outcomes": [result.to_json() for result in self.results],
        }


def run_gates(
    task: Task[Any], data: Any, candidate: Candidate, incumbent: LiveVersion | None
) -> GateReport:
    """Let a version go through the gates; without an incumbent there is only the first."""
    results = [
        *_data(task, data, candidate),
        *_minimum(task, candidate),
        *_originals(task, data, candidate),
    ]
    if incumbent is None:
        return GateReport(tuple(results), None)
    contract = _contract(candidate.contract, incumbent)
    results.append(contract)
    results.append(_comparison(task, data, candidate, incumbent, contract.passed))
    results += _golden(task, candidate, incumbent)
    return GateReport(tuple(results), incumbent.version)


def _data(task: Task[Any], data: Any, candidate: Candidate) -> Iterator[GateResult]:
    if not candidate.of_own_data:
        return
    blocking = [found.sentence for found in findings_of(task.summary(data)) if found.blocks]
    sentence = " ".join(blocking) or "Nothing in the data takes the meaning from its figures."
    yield GateResult(gate="data", passed=not blocking, sentence=sentence)


def _minimum(task: Task[Any], candidate: Candidate) -> Iterator[GateResult]:
    if candidate.of_own_data:
        known = candidate.exportable.out_of_fold or candidate.answers
        luck = beyond_luck(known)
        yield GateResult(
            gate="luck", passed=luck.beaten, sentence=luck.sentence, figures=luck.figures
        )
        return
    if task.min_quality is None:
        return
    headline = candidate.evaluation["headline"]
    value, limit = headline["value"], task.min_quality
    higher = task.kind == "classification"
    # The end of the interval decides: what may be luck is no reason to publish.
    sure = headline.get("low" if higher else "high", value)
    reached, passed = ((v >= limit if higher else v <= limit) for v in (value, sure))
    told = f"{headline['name']} is {value:.4f}"
    if reached and not passed:
        told += f", but may be {sure:.4f} (95 % confidence): too few rows to tell"
    yield GateResult(
        gate="minimum",
        passed=passed,
        sentence=(
            f"{told}; {task.name} is published with {limit:g} {'or more' if higher else 'or less'}."
        ),
        figures={"value": value, "sure": sure, "limit": limit},
    )


def _originals(task: Task[Any], data: Any, candidate: Candidate) -> Iterator[GateResult]:
    sent = task.originals(data)
    if not sent:
        return
    found = serving_skew.find_serving_skew(sent, candidate.predict, candidate.contract)
    yield GateResult(
        gate="originals",
        passed=not found,
        sentence=serving_skew.skew_sentence(sent, found),
        figures={"examples": len(sent), "different": len(found)},
    )


def _contract(contract: Contract, incumbent: LiveVersion) -> GateResult:
    live = f"live version {incumbent.version}"
    if incumbent.card is None:
        return GateResult(gate="contract", passed=True, sentence=f"Not known: {live} has no card.")
    broken = broken_promises(incumbent.card.contract, contract)
    if broken:
        sentence = f"Callers of {live} cannot go on: {'; '.join(broken)}."
    else:
        sentence = f"Callers of {live} can go on."
    return GateResult(gate="contract", passed=not broken, sentence=sentence)


def _comparison(
    task: Task[Any], data: Any, candidate: Candidate, incumbent: LiveVersion, comparable: bool
) -> GateResult:
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
    """Compare on the same examples, paired; ``None`` where there are none.

    A version that was judged by cross-validation is compared by it, on the examples that the live
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
    """Where there are no examples to pair, the live version's own interval must do."""
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


def _golden(task: Task[Any], candidate: Candidate, incumbent: LiveVersion) -> Iterator[GateResult]:
    if incumbent.golden is None:
        return
    lost = lost_answers(incumbent.golden, candidate.contract, candidate.predict, task.max_drift)
    count = len(incumbent.golden.examples)
    of = f"the {count} golden examples of live version {incumbent.version}"
    if lost:
        more = f" And {len(lost) - _TOLD} more." if len(lost) > _TOLD else ""
        sentence = f"Of {of} not all are answered as they must: {' '.join(lost[:_TOLD])}{more}"
    else:
        sentence = f"All of {of} are still answered."
    figures = {"examples": count, "lost": len(lost)}
    yield GateResult(gate="golden", passed=not lost, sentence=sentence, figures=figures)
