"""Own data from the command line to a published version."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.repository.model_card import Card, read_card
from tests.owndata import CAR_HEADER, cars, draw_shapes, sentences, write_csv, write_jsonl
from training.array_types import Predict
from training.publishing.saved_model_export import open_saved_model
from understudy import cli

pytestmark = pytest.mark.usefixtures("without_rivals")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def train(model: str, *arguments: str) -> tuple[Card, Predict]:
    assert cli.main(["train", model, "--out", "models", *arguments]) == 0
    card = read_card(Path("models") / model / "1")
    assert card is not None
    return card, open_saved_model(Path("models") / model / "1")


def test_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_shapes(tmp_path / "shapes", 20)
    (tmp_path / "shapes" / "line" / "notes.txt").write_text("Not a picture.")
    options = ["--data", "shapes", "--epochs", "1", "--arch", "tutorial", "--max-bad-rows", "0.02"]
    # Of 9 test pictures nothing can be told.
    card, predict = train("clothing", *options, "--force")
    label, class_id, _, probabilities = card.contract["from_encoded"].outputs
    assert label.choices == ("circle", "line", "square")
    assert class_id.maximum == 2
    assert probabilities.shape == (None, 3)
    assert card.title == "Kinds of pictures"
    assert card.data["classes"] == {"circle": 20, "line": 20, "square": 20}
    assert (card.data["train"], card.data["test"], card.data["bad_rows"]) == (51, 9, 1)
    picture = (tmp_path / "shapes" / "circle" / "1.bmp").read_bytes()
    answer = predict("from_encoded", {"image_bytes": np.array([picture], object)})
    assert answer["label"][0].decode() in label.choices
    assert answer["probabilities"].shape == (1, 3)
    story = capsys.readouterr().out
    assert "1 bad rows are left out" in story
    (listing,) = Path("runs").glob("clothing/*/bad-rows.txt")
    assert listing.read_text() == (
        "line/notes.txt: Expected a PNG, JPEG, GIF or BMP picture, "
        "not a file that begins with b'Not a pictur'\n"
    )


@pytest.mark.parametrize("arch", ["default", "tutorial"])
def test_texts_of_three_classes(arch: str, tmp_path: Path) -> None:
    rows = sentences(300, ["ham", "news", "spam"])
    write_csv(tmp_path / "texts.csv", ["text", "label"], [*rows])
    options = ["--data", "texts.csv", "--epochs", "10", "--arch", arch, "--learning-rate", "0.05"]
    card, predict = train("sentiment", *options)
    label, confidence, probabilities = card.contract["serving_default"].outputs
    assert label.choices == ("ham", "news", "spam")
    assert (confidence.name, probabilities.shape) == ("confidence", (None, 3))
    assert card.evaluation["accuracy"] > 0.5
    assert cli.main(["evaluate", "sentiment", "--data", "texts.csv", "--out", "models"]) == 0
    answer = predict("serving_default", {"text": np.array([b"urgent cash prize offer"], object)})
    assert answer["label"][0].decode() in label.choices
    assert answer["probabilities"].sum() == pytest.approx(1)


def test_texts_of_two_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl(tmp_path / "texts.jsonl", sentences(200, ["spam", "ham"]))
    options = ["--data", "texts.jsonl", "--epochs", "3", "--learning-rate", "0.05"]
    card, predict = train("sentiment", *options)
    label, probability = card.contract["serving_default"].outputs
    assert label.choices == ("ham", "spam")
    assert probability.description == "How probable 'spam' is, calibrated."
    asked = np.array([b"urgent cash prize offer", b"lunch at home tomorrow"], object)
    answer = predict("serving_default", {"text": asked})
    assert answer["label"].tolist() == [b"spam", b"ham"]
    assert answer["probability"][0] > 0.5 > answer["probability"][1]
    write_jsonl(tmp_path / "other.jsonl", sentences(60, ["ham", "news", "spam"]))
    assert cli.main(["evaluate", "sentiment", "--data", "other.jsonl", "--out", "models"]) == 2
    told = "Version 1 has the classes ham, spam; the data has ham, news, spam.\n"
    assert capsys.readouterr().err == told


def test_cars(tmp_path: Path) -> None:
    write_csv(tmp_path / "cars.csv", CAR_HEADER, cars(80))
    card, predict = train("mpg", "--data", "cars.csv", "--epochs", "2")
    fields: dict[str, Any] = {
        field.name: field for field in card.contract["serving_default"].inputs
    }
    assert fields["origin"].choices == ("korea", "usa")
    assert (fields["model_year"].minimum, fields["model_year"].maximum) == (90, 99)
    assert fields["cylinders"].maximum == 12
    assert card.data["name"] == "own cars"
    car = dict(zip(CAR_HEADER, cars(2)[1], strict=True))
    inputs = {name: np.array([car[name]], field.numpy_type) for name, field in fields.items()}
    assert predict("serving_default", inputs)["mpg"] > 0


def test_data_is_looked_at_before_it_is_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*sentences(60, ["ham", "spam"]), *[("no label", "")] * 30]
    write_csv(tmp_path / "texts.csv", ["text", "label"], [*rows])
    assert cli.main(["datasets", "sentiment", "--data", "texts.csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "texts.csv, a CSV or JSONL file of texts with labels"
    assert {"test: 8", "classes.ham: 30", "classes.spam: 30", "bad_rows: 30"} <= set(lines)
    assert [line for line in lines if line.startswith("  ")] == [
        f"  line {number}: label missing" for number in range(62, 92)
    ]


def test_refused_data_leaves_no_run_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*sentences(60, ["ham", "spam"]), ("no label", "")]
    write_csv(tmp_path / "texts.csv", ["text", "label"], [*rows])
    assert cli.main(["train", "sentiment", "--data", "texts.csv"]) == 1
    assert capsys.readouterr().err == (
        "texts.csv: 1 of 61 rows are bad (1.64 %), more than the 1 % that --max-bad-rows allows:\n"
        "  line 62: label missing\n"
    )
    assert cli.main(["train", "sentiment", "--data", "none.csv"]) == 2
    assert not Path("runs").exists()


def test_a_rare_class_that_is_never_found_is_not_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [text for text, label in sentences(3024, ["ham", "spam"]) if label == "ham"]
    rows = [(text, "ham" if n < 1500 else "rare") for n, text in enumerate(texts)]
    write_csv(tmp_path / "texts.csv", ["text", "label"], [*rows])
    command = ["train", "sentiment", "--data", "texts.csv", "--out", "models", "--epochs", "1"]
    assert cli.main(command) == 3
    told = capsys.readouterr()
    assert "warning: The class 'rare' has 12 rows, 'ham' 1,500" in told.out
    assert "balanced accuracy: 0.5000" in told.out
    assert "never found: 'rare' (0 of 2 test rows)" in told.err
    run = told.err.split("--resume ")[1].split()[0]
    report = (Path(run) / "report.html").read_text()
    assert "balanced accuracy: 0.5000" in report
    assert "always answering" in report
    assert cli.main(["train", "sentiment", "--resume", run, "--force"]) == 0
    card = read_card(Path("models/sentiment/1"))
    assert card is not None
    assert card.evaluation["accuracy"] > 0.98
    assert card.evaluation["balanced_accuracy"] == 0.5
    assert card.training["gates"]["forced"] is True


def test_cars_in_litres_and_kilograms_are_published_by_force_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = CAR_HEADER.index
    rows = []
    for row in cars(80):
        values: list[Any] = list(row)
        values[at("displacement")] = round(values[at("displacement")] / 61.02, 2)
        values[at("weight")] = round(values[at("weight")] / 2.205)
        rows.append(tuple(values))
    write_csv(tmp_path / "cars.csv", CAR_HEADER, [*rows])
    assert cli.main(["datasets", "mpg", "--data", "cars.csv"]) == 0
    told = capsys.readouterr().out
    assert "warning: The median of displacement is" in told
    assert "Is it in kilograms" in told
    command = ["train", "mpg", "--data", "cars.csv", "--out", "models", "--epochs", "2"]
    assert cli.main(command) == 3
    assert re.search(
        r"^data +refused +The median of displacement is", capsys.readouterr().out, re.MULTILINE
    )


def test_texts_are_asked_about_as_they_stand_in_the_file(tmp_path: Path) -> None:
    rows = [(f"  {text} \n", label) for text, label in sentences(300, ["ham", "spam"])]
    write_csv(tmp_path / "texts.csv", ["text", "label"], [*rows])
    card, _ = train("sentiment", "--data", "texts.csv", "--epochs", "5", "--learning-rate", "0.05")
    (gate,) = [
        outcome for outcome in card.training["gates"]["outcomes"] if outcome["gate"] == "originals"
    ]
    assert gate["figures"] == {"examples": card.data["test"], "different": 0}
