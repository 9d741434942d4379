"""A card as sections."""

import dataclasses
from typing import Any

from service.api.routes.card_sections import (
    confusion_of,
    reliability_of,
    sections_of_contract,
    sections_of_evaluation,
    sections_of_gates,
    sections_of_making,
)
from service.repository.contract import Field, Signature
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
        ["accuracy", "0.9 (0.85 to 0.95, 95 %)"],
        ["on old cars: mae", 2.5],
    ]
    assert (classes["head"], classes["rows"]) == (["class", "recall"], [["a", 0.5], ["b", 1.0]])
    assert compared["about"] == "On the same rows."
    assert (compared["head"], compared["rows"]) == (["model", "points"], [["mean", 1.0]])


def test_any_object_is_an_evaluation() -> None:
    odd = {"per_class": [1, 2], "compared": "nothing", "accuracy_ci95": 3, "empty": ""}
    (figures,) = sections_of_evaluation(odd)
    assert figures["pairs"] == [["accuracy ci95", 3]]


def test_what_is_no_text_and_no_number_in_a_table_is_shown_as_json() -> None:
    """The page makes elements of cells, and would take an object for an element's attributes."""
    nested = {"my metric": 1}
    _, classes, compared = sections_of_evaluation(
        {
            "per_class": [{"label": "a", "recall": 1}, {"label": [1], "recall": nested}],
            "compared": {"models": {"live": nested}},
        }
    )
    assert classes["rows"] == [["a", 1], ["[1]", '{"my metric": 1}']]
    assert compared["rows"] == [["live", '{"my metric": 1}']]


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


def test_a_contract_is_two_tables_for_each_signature() -> None:
    mass = Field(
        name="mass", dtype="float32", shape=(None, 1), unit="lb", minimum=500, maximum=9000
    )
    any_text = Field(name="any", dtype="string", shape=None, description="words")
    up = Field(name="up", dtype="int64", shape=(), minimum=0)
    y = Field(name="y", dtype="float32", shape=(3,))
    signature = Signature(name="estimate", inputs=(mass, any_text, up), outputs=(y,))
    takes, gives = sections_of_contract([signature])
    assert (takes["title"], gives["title"]) == ("estimate takes", "estimate gives")
    assert takes["head"] == gives["head"] == ["name", "type", "range", "meaning"]
    assert takes["rows"] == [
        ["mass", "float32 [?, 1]", "from 500 to 9000 lb", ""],
        ["any", "string [any shape]", "", "words"],
        ["up", "int64 []", "from 0", ""],
    ]
    assert gives["rows"] == [["y", "float32 [3]", "", ""]]


def test_gates_say_why() -> None:
    outcomes = [
        {"gate": "not_worse", "passed": True, "because": "better by 0.1"},
        {"gate": "min_quality", "passed": False, "because": "0.8 is below 0.9"},
    ]
    (gates,) = sections_of_gates({"gates": {"outcomes": outcomes}})
    assert gates["pairs"] == [
        ["not worse", "passed: better by 0.1"],
        ["min quality", "failed: 0.8 is below 0.9"],
    ]
    for odd in ({}, {"gates": 1}, {"gates": {"outcomes": 2}}, {"gates": {"outcomes": ["x"]}}):
        assert sections_of_gates(odd) == [{"title": "Gates", "pairs": []}]


def test_a_reliability_diagram_has_valid_bins_only() -> None:
    good = {"confidence": 0.5, "accuracy": 0.4, "count": 3}
    odd = [None, {"confidence": 0.5}, {"confidence": "a", "accuracy": 1}, {"confidence": True}]
    uncounted = {"confidence": 0.9, "accuracy": 1}
    assert reliability_of({"reliability": [good, *odd, uncounted]}) == [
        good,
        {**uncounted, "count": 0},
    ]
    # Browsers compute with them.
    (large,) = reliability_of({"reliability": [{**good, "count": 10**25}, {"accuracy": 10**400}]})
    assert isinstance(large["count"], float)
    assert reliability_of({}) == reliability_of({"reliability": "none"}) == []


def test_a_confusion_matrix_is_square_and_named() -> None:
    counts = [[3, 1], [0, 4]]
    classes = [{"label": "cat"}, {"label": "dog"}]
    found = {"confusion": {"counts": counts}}
    assert confusion_of(found) == {"names": ["0", "1"], "counts": counts}
    named = confusion_of({**found, "per_class": classes})
    assert named == {"names": ["cat", "dog"], "counts": counts}
    for odd in (None, [], [1], [[1, 2]], [[1, "a"], [1, 2]], [[0] * 31] * 31, "text", [[10**400]]):
        assert confusion_of({"confusion": {"counts": odd}}) is None
    assert confusion_of({"confusion": 3}) is None
