"""A version that is trained again from its card."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.repository.model_card import CARD
from service.repository.model_store import Store
from tests.training.toy import write_points
from training.workflows.reproduce import compare_evaluations
from understudy import cli

OPTIONS = ["--data", "data", "--out", "models"]


def evaluation(value: float, low: float | None = 0.8, name: str = "accuracy") -> dict[str, Any]:
    interval = {} if low is None else {"low": low, "high": 0.95}
    return {"headline": {"name": name, "value": value, **interval}, "loss": 1 - value}


@pytest.mark.parametrize(
    ("was", "now", "agrees", "sentence"),
    [
        (evaluation(0.9), evaluation(0.9), True, "all 4 figures are the same to the last bit."),
        (evaluation(0.9), evaluation(0.81), True, "accuracy was 0.900000 and is 0.810000, within the 95 % confidence interval 0.8000 to 0.9500; 2 of 4 figures differ."),
        (evaluation(0.9), evaluation(0.79), False, "accuracy was 0.900000 and is 0.790000, outside the 95 % confidence interval 0.8000 to 0.9500; 2 of 4 figures differ."),
        (evaluation(0.9, None), evaluation(0.89), False, "accuracy was 0.900000 and is 0.890000; the card has no confidence interval to allow for that."),
        (evaluation(0.9), evaluation(0.9, name="F1"), False, "it was measured by accuracy, now by F1."),
    ],
)  # fmt: skip
def test_figures_agree_or_do_not(was: Any, now: Any, agrees: bool, sentence: str) -> None:
    agreement = compare_evaluations(was, now)
    assert (agreement.agrees, agreement.sentence) == (agrees, sentence)


def test_what_is_measured_since_does_not_count() -> None:
    assert compare_evaluations(evaluation(0.9), {**evaluation(0.9), "more": 1.0}).agrees


def test_a_version_is_reproduced_from_its_card(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--seed", "7", "--epochs", "2", "--learning-rate", "0.15"]
    assert cli.main(["train", "toy", *OPTIONS, *options]) == 0
    path = Store(toy / "models").versions("toy")[1] / CARD
    capsys.readouterr()
    assert cli.main(["reproduce", "toy", "1", *OPTIONS]) == 0
    out = capsys.readouterr().out
    assert out.endswith("figures are the same to the last bit.\n")
    assert "it was" not in out
    assert list(Store(toy / "models").versions("toy")) == [1]

    card = json.loads(path.read_text())
    card["libraries"]["numpy"] = "1.0"
    card["evaluation"]["headline"] |= {"value": 0.3, "low": 0.2, "high": 0.4}
    path.write_text(json.dumps(card))
    assert cli.main(["reproduce", "toy", "1", *OPTIONS]) == 6
    printed = capsys.readouterr()
    assert "numpy is " in printed.out
    assert "; it was 1.0\n" in printed.out
    assert printed.err.startswith("Version 1 is not reproduced: test accuracy was 0.300000 and is ")

    write_points(toy / "data", seed=5)
    assert cli.main(["reproduce", "toy", "1", *OPTIONS]) == 1
    assert "this is not the data that version 1 learned from" in capsys.readouterr().err

    path.write_text(json.dumps(card | {"training": card["training"] | {"epochs": "many"}}))
    assert cli.main(["reproduce", "toy", "1", *OPTIONS]) == 1
    assert capsys.readouterr().err == (
        "The card's training: settings: 'epochs' must be a whole number of at least 1, "
        "not 'many'.\n"
    )

    for headline in (
        None,
        "high",
        {"name": "a", "value": "x"},
        {"name": "a", "value": 1, "low": 0},
    ):
        path.write_text(json.dumps(card | {"evaluation": {"headline": headline}}))
        assert cli.main(["reproduce", "toy", "1", *OPTIONS]) == 1
        told = capsys.readouterr().err
        assert told.startswith("The card's evaluation has no headline to compare with: ")
        assert cli.main(["list", "--out", "models"]) == 0
        capsys.readouterr()

    del card["training"]["seed"]
    path.write_text(json.dumps(card))
    assert cli.main(["reproduce", "toy", "1", *OPTIONS]) == 1
    assert capsys.readouterr().err == "The card has no 'seed' of the training.\n"
    path.unlink()
    assert cli.main(["reproduce", "toy", "1", *OPTIONS]) == 1
    assert cli.main(["reproduce", "toy", "2", *OPTIONS]) == 2
    assert capsys.readouterr().err.endswith("toy has no version 2 in models; it has 1.\n")
