"""A card as sections."""

import dataclasses
from typing import Any

from service.api.routes.card_sections import sections_of_evaluation, sections_of_making
from service.repository.precision import Precision
from tests.savedmodels.affine import AFFINE_CONTRACT
from tests.savedmodels.saving import card

EVALUATION: dict[str, Any] = {
    "headline": {"name": "accuracy", "value": 0.9},
    "examples": 100,
    "accuracy": 0.9,
    "accuracy_ci95": [0.85, 0.95],
    "on_old_cars": {"mae": 2.5},
    "per_class": [{"label": "a", "recall": 0.5, "hidden": [1]}, {"label": "b", "recall": 1.0}],
    "compared": {"unit": "points", "how": "On the same rows.", "models": {"mean": 1.0}},
}


def test_an_evaluation_has_pairs_classes_and_comparisons() -> None:
    figures, classes, compared = sections_of_evaluation(EVALUATION)
    assert figures["pairs"] == [
        ["examples", 100],
        ["accuracy", {"value": 0.9, "low": 0.85, "high": 0.95, "percent": 95}],
        ["on old cars: mae", 2.5],
    ]
    assert (classes["head"], classes["rows"]) == (["class", "recall"], [["a", 0.5], ["b", 1.0]])
    assert compared["about"] == "On the same rows."
    assert (compared["head"], compared["rows"]) == (["model", "points"], [["mean", 1.0]])


def test_any_object_is_an_evaluation() -> None:
    odd = {"per_class": [1, 2], "compared": "nothing", "accuracy_ci95": 3, "empty": ""}
    (figures,) = sections_of_evaluation(odd)
    assert figures["pairs"] == [["accuracy ci95", 3]]


def test_how_a_version_was_made() -> None:
    made = dataclasses.replace(
        card("affine", AFFINE_CONTRACT),
        training={"epochs": 3, "gates": {"outcomes": []}, "last_epoch": {"loss": 0.5}},
        data={"name": "numbers"},
    )
    training, data, _ = sections_of_making(made, Precision.FLOAT32)
    assert dict(training["pairs"]) == {
        "created": made.created_at,
        "task": made.task,
        "precision": str(Precision.FLOAT32),
        "epochs": 3,
        "last epoch: loss": 0.5,
    }
    assert data["pairs"] == [["name", "numbers"]]
