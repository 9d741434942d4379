import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from service.repository.errors import RepositoryError
from service.repository.model_card import CARD, Card, read_card, write_card
from service.repository.precision import Precision
from tests.savedmodels.affine import AFFINE_CONTRACT

A_CARD = Card(
    name="m",
    title="A model",
    task="regression",
    contract=AFFINE_CONTRACT,
    created_at="2026-01-01T00:00:00+00:00",
    evaluation={"mae": 1.5},
    libraries={"tensorflow": "2.21.0"},
)


def test_json_and_back(tmp_path: Path) -> None:
    write_card(tmp_path, A_CARD)
    assert read_card(tmp_path) == A_CARD


def test_a_precision_and_back(tmp_path: Path) -> None:
    stated = dataclasses.replace(A_CARD, precision=Precision.BF16)
    write_card(tmp_path, stated)
    assert read_card(tmp_path) == stated
    value = json.loads((tmp_path / CARD).read_text())
    assert value["precision"] == "bf16"
    # An earlier trainer knew of no other than float32.
    del value["precision"]
    (tmp_path / CARD).write_text(json.dumps(value))
    assert read_card(tmp_path) == A_CARD


def test_none_when_there_is_no_card(tmp_path: Path) -> None:
    assert read_card(tmp_path) is None


def test_numbers_that_json_lacks_are_not_written(tmp_path: Path) -> None:
    card = Card(
        **{**{k: getattr(A_CARD, k) for k in A_CARD.__slots__}, "evaluation": {"x": float("nan")}}
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_card(tmp_path, card)
    assert list((tmp_path / CARD).parent.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 9}, "format must be 1, not 9"),
        ({"title": None}, "title must be a string, not null"),
        ({"evaluation": []}, "evaluation must be an object"),
        ({"contract": {}}, "contract: expected an object"),
        ({"precision": "fp8"}, "precision must be 'float32' or 'bf16', not \"fp8\""),
        ({"precision": 16}, "precision must be 'float32' or 'bf16', not 16"),
    ],
)
def test_what_is_no_card_is_named(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    write_card(tmp_path, A_CARD)
    value = json.loads((tmp_path / CARD).read_text()) | change
    (tmp_path / CARD).write_text(json.dumps(value))
    with pytest.raises(RepositoryError, match=reason):
        read_card(tmp_path)


def test_a_card_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / CARD).parent.mkdir()
    (tmp_path / CARD).write_text("title: no")
    with pytest.raises(RepositoryError, match=r"card\.json is not JSON"):
        read_card(tmp_path)
