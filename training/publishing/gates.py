"""What a version must pass to be published: runs all gates."""

from collections.abc import Iterator, Sequence
from typing import Any

from service.repository.contract import Contract
from training.data.feedback.merging import Audited
from training.data.own.findings import findings_of
from training.evaluation.better_than_chance import beyond_luck
from training.publishing import serving_skew
from training.publishing.audits_gate import run_audits_gate
from training.publishing.contract_compatibility import broken_promises
from training.publishing.gate_report import Candidate, GateReport, GateResult
from training.publishing.golden_regression import lost_answers
from training.publishing.live_comparison_gate import run_comparison_gate
from training.publishing.live_version import LiveVersion
from training.tasks.task_interface import Task

# How many lost golden examples a sentence lists.
_TOLD = 3


def run_gates(
    task: Task[Any],
    data: Any,
    candidate: Candidate,
    incumbent: LiveVersion | None,
    audits: Sequence[Audited] | None = None,
) -> GateReport:
    """Run all gates; without an incumbent only those that need no other version.

    Args:
        task: the model.
        data: its data, the test set among it.
        candidate: the new version.
        incumbent: the live version.
        audits: those that the new version has not learned from; ``None`` where it did not learn
            from feedback.
    """
    results = [
        *_data(task, data, candidate),
        *_minimum(task, candidate),
        *_originals(task, data, candidate),
    ]
    if incumbent is None:
        return GateReport(tuple(results), None)
    contract = run_contract_gate(candidate.contract, incumbent)
    results.append(contract)
    results.append(run_comparison_gate(task, data, candidate, incumbent, contract.passed))
    if audits is not None and task.feedback_rows is not None:
        results.append(
            run_audits_gate(
                task.feedback_rows, audits, candidate.predict, incumbent, contract.passed
            )
        )
    results += _golden(task, candidate, incumbent)
    return GateReport(tuple(results), incumbent.version)


def _data(task: Task[Any], data: Any, candidate: Candidate) -> Iterator[GateResult]:
    if not candidate.of_own_data:
        return
    blocking = [found.sentence for found in findings_of(task.summary(data)) if found.blocks]
    sentence = " ".join(blocking) or "Nothing in the data makes its figures meaningless."
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
    # The end of the interval decides: what may be luck does not justify publishing.
    sure = headline.get("low" if higher else "high", value)
    reached, passed = ((v >= limit if higher else v <= limit) for v in (value, sure))
    measured = f"{headline['name']} is {value:.4f}"
    if reached and not passed:
        measured += f", but may be {sure:.4f} (95 % confidence): too few rows to tell"
    yield GateResult(
        gate="minimum",
        passed=passed,
        sentence=(
            f"{measured}; {task.name} is published with {limit:g} "
            f"{'or more' if higher else 'or less'}."
        ),
        figures={"value": value, "sure": sure, "limit": limit},
    )


def _originals(task: Task[Any], data: Any, candidate: Candidate) -> Iterator[GateResult]:
    sent = task.originals(data)
    if not sent:
        return
    # Preparation is compared; in bfloat16 the two signatures round at other places.
    predict = candidate.in_float32 or candidate.predict
    found = serving_skew.find_serving_skew(sent, predict, candidate.contract)
    yield GateResult(
        gate="originals",
        passed=not found,
        sentence=serving_skew.skew_sentence(sent, found),
        figures={"examples": len(sent), "different": len(found)},
    )


def run_contract_gate(contract: Contract, incumbent: LiveVersion) -> GateResult:
    """Decide whether clients of the live version can continue with a version of ``contract``."""
    live = f"live version {incumbent.version}"
    if incumbent.card is None:
        return GateResult(gate="contract", passed=True, sentence=f"Not known: {live} has no card.")
    broken = broken_promises(incumbent.card.contract, contract)
    if broken:
        sentence = f"Not compatible with {live}: {'; '.join(broken)}."
    else:
        sentence = f"Compatible with {live}."
    return GateResult(gate="contract", passed=not broken, sentence=sentence)


def _golden(task: Task[Any], candidate: Candidate, incumbent: LiveVersion) -> Iterator[GateResult]:
    if incumbent.golden is None:
        return
    lost = lost_answers(incumbent.golden, candidate.contract, candidate.predict, task.max_drift)
    count = len(incumbent.golden.examples)
    of = f"the {count} golden examples of live version {incumbent.version}"
    if lost:
        more = f" And {len(lost) - _TOLD} more." if len(lost) > _TOLD else ""
        sentence = f"Of {of} not all are answered as they must be: {' '.join(lost[:_TOLD])}{more}"
    else:
        sentence = f"All of {of} are still answered."
    figures = {"examples": count, "lost": len(lost)}
    yield GateResult(gate="golden", passed=not lost, sentence=sentence, figures=figures)
