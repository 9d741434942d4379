"""What lets a version be published, and what does not."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.repository.contract import Contract
from service.repository.golden_examples import Golden, GoldenExample, write_golden
from service.repository.model_card import Card, write_card
from service.repository.model_policy import Policy, write_policy
from tests.training.toy import SIDES, SIGNATURE, Points, Toy
from training.array_types import Predict
from training.data.original_examples import Original
from training.errors import TrainingError
from training.evaluation.out_of_fold import OUT_OF_FOLD, write_errors
from training.evaluation.predictions import (
    ClassificationPredictions,
    Predictions,
    RegressionPredictions,
)
from training.publishing import gates, saved_model_export
from training.publishing.gate_report import Candidate, GateReport, GateResult
from training.publishing.live_version import find_live_version
from training.tasks.task_interface import Exportable

CONTRACT: Contract = {"serving_default": SIGNATURE}
X = np.random.default_rng(0).uniform(-1, 1, (400, 2)).astype(np.float32)
DATA = Points(X, (X[:, 0] > X[:, 1]).astype(np.int64), "fingerprint")
GOLDEN = Golden(
    [GoldenExample("serving_default", {"point": [0.9, 0.1]}, {"side": SIDES[1]}, "a point", {"side": SIDES[1]})]
)  # fmt: skip


def leaning(by: float) -> Predict:
    """Return a version that takes the line ``x = y + by`` for the true one."""

    def predict(signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        right = inputs["point"][:, 0] - inputs["point"][:, 1] - by > 0
        probabilities = np.stack([~right, right], axis=1) * 0.8 + 0.1
        return {
            "side": np.where(right, *[side.encode() for side in SIDES[::-1]]).astype(object),
            "probabilities": probabilities,
        }

    return predict


def candidate(by: float, contract: Contract = CONTRACT) -> Candidate:
    task, predict = Toy(), leaning(by)
    answers = task.answers(DATA, predict)
    return Candidate(
        exportable=Exportable(functions={}, contract=contract),
        predict=predict,
        answers=answers,
        evaluation=task.measure(answers),
    )


def publish(root: Path, version: int, *, golden: Golden = GOLDEN, **card: Any) -> Path:
    folder = root / "toy" / str(version)
    folder.mkdir(parents=True)
    write_golden(folder, golden)
    basis = Card(
        name="toy", title="", task="classification", contract=CONTRACT, created_at="2026-01-01"
    )
    write_card(folder, replace(basis, **card))
    return folder


def judge(root: Path, new: Candidate, task: Toy | None = None) -> GateReport:
    return gates.run_gates(task or Toy(), DATA, new, find_live_version(root, "toy"))


def only(report: GateReport, gate: str) -> GateResult:
    (found,) = [result for result in report.results if result.gate == gate]
    return found


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the live version be one that takes the very line."""
    monkeypatch.setattr(saved_model_export, "open_saved_model", lambda folder: leaning(0.0))


def test_the_first_version_meets_the_minimum_alone(tmp_path: Path) -> None:
    good, bad = judge(tmp_path, candidate(0.1)), judge(tmp_path, candidate(1.0))
    assert (good.passed, bad.passed, good.live) == (True, False, None)
    (refusal,) = bad.refusals()
    value = only(bad, "minimum").figures["value"]
    assert refusal == f"test accuracy is {value:.4f}; toy is published with 0.7 or more."
    assert [result.gate for result in good.results] == ["minimum"]


def test_errors_have_a_most(tmp_path: Path) -> None:
    task = Toy()
    task.kind, task.min_quality = "regression", 2.0
    errors = replace(candidate(0), evaluation={"headline": {"name": "MAE", "value": 2.5}})
    assert judge(tmp_path, errors, task).refusals() == [
        "MAE is 2.5000; toy is published with 2 or less."
    ]
    task.min_quality = None
    assert judge(tmp_path, errors, task).results == ()


def test_the_end_of_the_interval_decides(tmp_path: Path) -> None:
    few = replace(
        candidate(0), evaluation={"headline": {"name": "accuracy", "value": 0.8, "low": 0.65}}
    )
    assert judge(tmp_path, few).refusals() == [
        "accuracy is 0.8000, but may be 0.6500 (95 % confidence): too few rows to tell; "
        "toy is published with 0.7 or more."
    ]
    task = Toy()
    task.kind, task.min_quality = "regression", 2.0
    errors = {"headline": {"name": "MAE", "value": 1.9, "high": 2.1}}
    assert judge(tmp_path, replace(few, evaluation=errors), task).refusals() == [
        "MAE is 1.9000, but may be 2.1000 (95 % confidence): too few rows to tell; "
        "toy is published with 2 or less."
    ]
    errors["headline"]["high"] = 1.99
    assert judge(tmp_path, replace(few, evaluation=errors), task).passed


def test_of_own_data_a_version_must_be_better_than_luck(tmp_path: Path) -> None:
    own = replace(candidate(0.1), of_own_data=True)
    report = judge(tmp_path, own)
    assert report.passed
    assert [result.gate for result in report.results] == ["data", "luck"]
    answers = own.answers
    assert isinstance(answers, ClassificationPredictions)
    shuffled = np.random.default_rng(1).permutation(answers.labels)
    (refused,) = judge(tmp_path, replace(own, answers=replace(answers, labels=shuffled))).refusals()
    assert refused.startswith("The mean recall of the classes is 0.")


@pytest.mark.usefixtures("live")
def test_a_version_that_is_as_good_passes(tmp_path: Path) -> None:
    publish(tmp_path, 3)
    report = judge(tmp_path, candidate(0.01))
    assert report.passed
    assert report.live == 3
    assert [result.gate for result in report.results] == [
        "minimum", "contract", "comparison", "golden",
    ]  # fmt: skip
    assert only(report, "comparison").figures["examples"] == 200
    assert only(report, "golden").sentence == (
        "All of the 1 golden examples of live version 3 are still answered."
    )
    assert report.to_json()["live_version"] == 3


@pytest.mark.usefixtures("live")
def test_a_regression_is_refused_with_the_numbers(tmp_path: Path) -> None:
    publish(tmp_path, 3)
    refused = only(judge(tmp_path, candidate(0.2)), "comparison")
    assert not refused.passed
    assert refused.sentence.startswith("Worse by 0.1")
    assert "instead of 1.0000 on the same 200 test examples" in refused.sentence
    assert "McNemar's test" in refused.sentence
    assert refused.figures["p"] < 0.001


@pytest.mark.usefixtures("live")
def test_a_golden_example_that_is_lost_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, 3)
    refused = only(judge(tmp_path, candidate(0.85)), "golden")
    assert refused.sentence == (
        "Of the 1 golden examples of live version 3 not all are answered as they must be: "
        "a point: side is 'left', and was rightly '<b>right</b>'."
    )
    many = Golden([replace(GOLDEN.examples[0], note=f"{n}") for n in range(9)])
    publish(tmp_path, 4, golden=many)
    refused = only(judge(tmp_path, candidate(0.85)), "golden")
    assert refused.sentence.endswith(" And 6 more.")
    assert refused.figures == {"examples": 9, "lost": 9}


@pytest.mark.usefixtures("live")
def test_another_contract_is_refused_and_not_compared(tmp_path: Path) -> None:
    publish(tmp_path, 3)
    outputs = tuple(replace(f, name=f"{f.name}s") for f in SIGNATURE.outputs)
    new = candidate(0.0, {"serving_default": replace(SIGNATURE, outputs=outputs)})
    report = judge(tmp_path, new)
    assert only(report, "contract").sentence.startswith(
        "Not compatible with live version 3: output 'side' of signature 'serving_default' is gone"
    )
    assert not report.passed
    assert only(report, "comparison").sentence == (
        "Not compared with live version 3: their contracts differ."
    )


def test_a_live_version_that_cannot_be_asked_is_no_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: Path) -> Predict:
        raise TrainingError(f"{folder.name} cannot be loaded: why.")

    monkeypatch.setattr(saved_model_export, "open_saved_model", broken)
    publish(tmp_path, 3)
    assert judge(tmp_path, candidate(0.0)).refusals() == [
        "Cannot be compared with live version 3: 3 cannot be loaded: why."
    ]


def test_a_foreign_live_version_has_nothing_to_compare(tmp_path: Path) -> None:
    (tmp_path / "toy" / "7").mkdir(parents=True)
    report = judge(tmp_path, candidate(0.0))
    assert report.passed
    assert report.live == 7
    assert only(report, "comparison").sentence == (
        "Not compared with live version 7: it has no card."
    )


def test_the_live_version_is_the_one_that_the_policy_names(tmp_path: Path) -> None:
    for version in (1, 2, 3):
        publish(tmp_path, version)
    write_policy(tmp_path / "toy", Policy(versions=(1, 2)))
    incumbent = find_live_version(tmp_path, "toy")
    assert incumbent is not None
    assert (incumbent.version, incumbent.golden) == (2, GOLDEN)
    write_policy(tmp_path / "toy", Policy(versions=(9,)))
    assert find_live_version(tmp_path, "toy") is None


def cross_validated(error: float) -> Candidate:
    actual = np.arange(50.0)
    wobble = np.where(np.arange(50) % 2, 0.5, 1.5) * error
    answers = RegressionPredictions(
        unit="m",
        actual=actual,
        predicted=np.stack([actual + wobble, actual - wobble]),
        keys=[f"row {row}" for row in range(50)],
    )
    exportable = Exportable(functions={}, contract=CONTRACT, out_of_fold=answers)
    seen: Predictions = replace(answers, predicted=actual[None])  # all rows were learned from
    headline = {"name": "MAE", "value": error}
    return Candidate(
        exportable=exportable,
        predict=leaning(0.0),
        answers=seen,
        evaluation={"headline": headline},
    )


def test_cross_validated_versions_are_compared_by_it_and_never_on_rows_they_learned(
    tmp_path: Path,
) -> None:
    task = Toy()
    task.kind, task.min_quality = "regression", None
    folder = publish(tmp_path, 1, evaluation={"headline": {"value": 2.0, "high": 2.2}})
    # The live version brings no cross-validation: its interval must do.
    assert only(judge(tmp_path, cross_validated(2.1), task), "comparison").passed
    refused = only(judge(tmp_path, cross_validated(2.3), task), "comparison")
    assert refused.sentence == (
        "Live version 1 has no cross-validation of the same examples; by its card its error is "
        "at most 2.2000 (95 % confidence), and that of the new one is 2.3000."
    )
    live = cross_validated(2.0).exportable.out_of_fold
    assert live is not None
    write_errors(folder, replace(live, keys=[f"row {row + 10}" for row in range(50)]))
    # Rows 10 to 49 are known to both.
    refused = only(judge(tmp_path, cross_validated(2.1), task), "comparison")
    assert refused.sentence.startswith("Worse by 0.1000 MAE than live version 1 (")
    assert "2.1000 instead of 2.0000 on the same 40 examples, each held out" in refused.sentence
    assert not refused.passed
    assert only(judge(tmp_path, cross_validated(1.9), task), "comparison").passed
    (folder / OUT_OF_FOLD).write_text('{"format": 2}')
    assert only(judge(tmp_path, cross_validated(1.9), task), "comparison").sentence == (
        "Cannot be compared with live version 1: "
        "assets.extra/out_of_fold.json is not a file of format 1."
    )


def test_originals_are_compared_in_float32(tmp_path: Path) -> None:
    """In bfloat16 a signature that prepares pictures rounds at other places than one that does not."""
    exact, rounded = leaning(0.0), itertools.count()

    def rounding(signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        outputs = exact(signature, inputs)
        return outputs | {"probabilities": outputs["probabilities"] + next(rounded) % 2 / 256}

    class Sent(Toy):
        def originals(self, data: Points) -> list[Original]:
            name, point = "serving_default", {"point": data.x[0]}
            return [
                Original(place="1", signature=name, sent=point, measured_by=name, measured=point)
            ]

    new = replace(candidate(0.0), predict=rounding)
    report = judge(tmp_path, replace(new, in_float32=exact), Sent())
    assert only(report, "originals").passed
    assert not only(judge(tmp_path, new, Sent()), "originals").passed


def test_originals_that_are_arrays_have_bounds(tmp_path: Path) -> None:
    class Sent(Toy):
        def originals(self, data: Points) -> list[Original]:
            name, point = "serving_default", {"point": np.array([0.5, 7.0])}
            return [
                Original(place="1", signature=name, sent=point, measured_by=name, measured=point)
            ]

    refused = only(judge(tmp_path, candidate(0.0), Sent()), "originals")
    assert "1: the service refuses it: point is 7, above 1." in refused.sentence


def test_a_card_that_tells_no_error(tmp_path: Path) -> None:
    task = Toy()
    task.min_quality = None
    publish(tmp_path, 1)
    result = only(judge(tmp_path, cross_validated(2.1), task), "comparison")
    assert result.passed
    assert result.sentence.endswith("its card has no error either, so they are not compared.")
