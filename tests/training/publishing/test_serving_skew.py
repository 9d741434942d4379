"""What a client sends must be answered as the trainer measured it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.repository.contract import Field, Signature
from tests.images import write_triangles
from training.data.original_examples import MOST, Original, by_turns
from training.data.own.image_folder import as_sent
from training.publishing.serving_skew import find_serving_skew, skew_sentence
from understudy import cli

OPTIONS = ["--arch", "tutorial", "--epochs", "3", "--out", "models"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_trainer_that_prepares_pictures_otherwise_does_not_publish(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it was: photographs were learned from lying on their side, and asked about upright."""
    write_triangles(Path("triangles"), 2)

    def otherwise(encoded: bytes, field: Field) -> bytes:
        as_sent(encoded, field)
        return encoded

    monkeypatch.setattr("training.data.own.image_folder.as_sent", otherwise)
    data = ["--data", "triangles", "--max-bad-rows", "0.2"]
    assert cli.main(["train", "clothing", *data, *OPTIONS]) == 3
    told = capsys.readouterr().err
    assert "originals of test examples" in told
    assert "are not answered as they were measured: triangles/" in told
    assert "when measured" in told
    assert not Path("models/clothing/1").exists()


SIGNATURE = Signature(
    "serving_default",
    (
        Field(name="text", dtype="string", shape=(None,), max_length=5),
        Field(name="place", dtype="string", shape=(None,), choices=("here", "there")),
        Field(name="size", dtype="float32", shape=(None,), minimum=1, maximum=9, nullable=True),
    ),
    (Field(name="length", dtype="int64", shape=(None,)),),
)


def predict(signature: str, inputs: Any) -> Any:
    return {"length": np.array([len(text) for text in inputs["text"]])}


def original(**sent: Any) -> Original:
    given = {"text": b"abc", "place": b"here", "size": 2.0} | sent
    return Original(
        place="line 7",
        signature="serving_default",
        sent=given,
        measured_by="serving_default",
        measured=given | {"text": b"abc"},
    )


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({}, None),
        ({"size": None}, None),
        ({"text": b"abcd"}, "length is 4, and was 3 when measured"),
        ({"text": b"abcdef"}, "the service refuses it: text has 6 bytes, above 5"),
        (
            {"place": b" here"},
            "the service refuses it: place is ' here', not one of ['here', 'there']",
        ),
        ({"size": 0.5}, "the service refuses it: size is 0.5, below 1"),
        ({"size": 10.0}, "the service refuses it: size is 10, above 9"),
    ],
)
def test_an_original_is_held_to_the_contract_and_to_its_answer(
    sent: dict[str, Any], problem: str | None
) -> None:
    found = find_serving_skew([original(**sent)], predict, {"serving_default": SIGNATURE})
    assert found == ([f"line 7: {problem}"] if problem else [])


def test_the_sentence_tells_the_first_three() -> None:
    originals = [original()] * 9
    assert skew_sentence(originals, []) == (
        "9 originals of test examples are answered as they were measured."
    )
    assert skew_sentence(originals, ["a: x", "b: x", "c: x", "d: x"]) == (
        "Of 9 originals of test examples 4 are not answered as they were measured: "
        "a: x; b: x; c: x; and 1 more."
    )


def test_each_kind_has_its_turn() -> None:
    kinds = ["jpg"] * 1000 + ["png"] * 3 + ["gif"] * 500
    chosen = by_turns(kinds)
    assert len(chosen) == MOST
    counts = {kind: sum(kinds[row] == kind for row in chosen) for kind in ("jpg", "png", "gif")}
    assert counts["png"] == 3
    assert abs(counts["jpg"] - counts["gif"]) <= 1
