"""What a training writes into the card of whether its rows are independent."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from service.repository.model_card import read_card
from service.repository.model_store import Store
from tests.training.toy import Toy
from understudy import cli

TRAIN = ["train", "toy", "--data", "data", "--out", "models"]


def declared(toy: Path) -> bool | None:
    card = read_card(Store(toy / "models").versions("toy")[1])
    assert card is not None
    return card.contract["serving_default"].rows_independent


def test_what_was_tried_out_before_it_was_published_is_declared(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(TRAIN) == 0
    assert declared(toy) is True
    assert "rows are not independent" not in capsys.readouterr().out


def test_an_export_whose_rows_depend_on_one_another_is_published_and_says_so(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exportable = Toy.exportable

    def mixing(task: Toy, *given: Any) -> Any:
        found = exportable(task, *given)
        serve = found.functions["serving_default"]

        def beside_others(point: Any) -> Any:
            outputs = serve(point)
            own = outputs["probabilities"]
            others = tf.reduce_mean(own, axis=0, keepdims=True)
            return {**outputs, "probabilities": 0.9 * own + 0.1 * others}

        return dataclasses.replace(found, functions={"serving_default": beside_others})

    monkeypatch.setattr(Toy, "exportable", mixing)
    assert cli.main(TRAIN) == 0
    assert declared(toy) is False
    told = capsys.readouterr().out
    assert "signature 'serving_default': rows are not independent; rows sent together get" in told
