"""Checks that a new version still answers the live version's golden examples.

A version that was trained again has other weights, so its numbers differ, and it may be right where
the old one was wrong. So equality is not required, but this is:

- each request is answered, by finite numbers (``training.publishing.saved_model_export.prove``);
- where the true value of an output is known, and the live version gave it, so does the new one;
- the numbers that the task bounds (``max_drift``) stay within the share that it states, or within
  the interval that the live version itself gave, unless the new one is nearer to the truth.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.repository.contract import Contract
from service.repository.errors import RepositoryError
from service.repository.golden_examples import (
    Golden,
    GoldenExample,
    askable,
    batch_of,
    examples_by_signature,
    row_to_json,
)
from training.array_types import Predict
from training.publishing.live_version import LiveVersion
from training.tasks.task_interface import Case

# Examples that a version has at most: the service lets it answer all of them when it comes.
_MOST = 64
_CARRIED = "; carried over from version "


def lost_answers(
    golden: Golden, contract: Contract, predict: Predict, max_drift: Mapping[str, float]
) -> list[str]:
    """Say, a sentence each, which golden examples are not answered as they must be.

    Args:
        golden: the live version's examples.
        contract: the new version's.
        predict: calls the new version.
        max_drift: the outputs that must not change much, each with the share that it may differ by.
    """
    try:
        groups = examples_by_signature(golden, contract)
        batches = [
            (signature.name, examples, batch_of(signature, examples))
            for signature, every in groups
            for examples in askable(signature, every)
        ]
    except RepositoryError as error:
        return [f"They cannot be answered: {error}"]
    problems: list[str] = []
    for name, examples, batch in batches:
        outputs = predict(name, batch)
        for row, example in enumerate(examples):
            problems += _lost(example, row_to_json(outputs, row), max_drift)
    return problems


def carried_over(own: Sequence[Case], incumbent: LiveVersion, contract: Contract) -> list[Case]:
    """Return the live version's golden examples as cases of the new one.

    Those that are cases of the new version already, and those that its contract does not take, are
    left out; with ``own`` they are at most 64.
    """
    if incumbent.golden is None:
        return []
    asked = [(case.signature, case.instance) for case in own]
    cases = []
    for example in incumbent.golden.examples:
        if (example.signature, example.instance) in asked or not _is_taken(example, contract):
            continue
        note = example.note
        if _CARRIED not in note:
            note += f"{_CARRIED}{incumbent.version}"
        cases.append(
            Case(
                instance=example.instance,
                note=note,
                signature=example.signature,
                truth=example.truth,
            )
        )
    return cases[: max(0, _MOST - len(own))]


def _is_taken(example: GoldenExample, contract: Contract) -> bool:
    try:
        batch_of(contract[example.signature], [example])
    except (KeyError, RepositoryError):
        return False
    return True


def _lost(
    example: GoldenExample, answer: Mapping[str, Any], max_drift: Mapping[str, float]
) -> Iterator[str]:
    for name, was in example.prediction.items():
        got, true = answer.get(name), example.truth.get(name)
        if name in max_drift:
            interval = _interval(name, example.prediction)
            if not _is_within_drift(was, got, true, max_drift[name], interval):
                outside = f", and outside its interval {interval}" if interval else ""
                yield (
                    f"{example.note}: {name} is {got:.4g} and was {was:.4g}, more than "
                    f"{max_drift[name]:.0%} away{outside}{_truth(true)}."
                )
        elif true is not None and not isinstance(true, float) and was == true != got:
            yield f"{example.note}: {name} is {got!r}, and was rightly {was!r}."


@dataclass(frozen=True, slots=True)
class _Interval:
    """The prediction interval that a version gave for a number."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.4g} to {self.high:.4g}"


def _interval(name: str, prediction: Mapping[str, Any]) -> _Interval | None:
    """Return what the outputs ``<name>_low`` and ``<name>_high`` said, where there are such."""
    low, high = prediction.get(f"{name}_low"), prediction.get(f"{name}_high")
    return None if low is None or high is None else _Interval(low, high)


def _is_within_drift(
    was: float, got: Any, true: float | None, share: float, interval: _Interval | None
) -> bool:
    if not isinstance(got, int | float) or not math.isfinite(got):
        return False
    return (
        abs(got - was) <= share * abs(was)
        or (interval is not None and interval.low <= got <= interval.high)
        or (true is not None and abs(got - true) < abs(was - true))
    )


def _truth(true: float | None) -> str:
    return "" if true is None else f", and no nearer to the truth, {true:.4g}"
