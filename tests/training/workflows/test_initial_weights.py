"""A training that begins with the weights of a published version."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from service.repository.model_card import read_card
from service.repository.model_policy import Policy, write_policy
from tests.digits import write_mnist
from tests.owndata import CAR_HEADER, TEXTS, cars, sentences, write_csv, write_jsonl
from training.errors import TrainingError, UsageError
from training.fitting.initial_weights import (
    WEIGHTS,
    InitialWeights,
    keep_copy,
    kept_copy,
    write_weights,
)
from training.publishing.saved_model_export import open_saved_model
from training.workflows.init_from_option import find_initial_version
from understudy import cli


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def network(units: int = 3) -> keras.Model:
    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.BatchNormalization()(keras.layers.Dense(units)(x)))
    model.compile("adam", "mse")
    return model


def published(folder: Path, model: keras.Model) -> InitialWeights:
    write_weights(folder / "7", model, ["cat", "dog", "fox"])
    return InitialWeights(folder / "7")


def test_weights_come_back_without_the_optimizer(tmp_path: Path) -> None:
    trained, fresh = network(), network()
    trained.train_on_batch(np.ones((8, 4)), np.ones((8, 3)))
    published(tmp_path, trained).load_into(fresh, ["cat", "dog", "fox"])
    for mine, its in zip(fresh.get_weights(), trained.get_weights(), strict=True):
        assert np.array_equal(mine, its)
    assert (int(trained.optimizer.iterations), int(fresh.optimizer.iterations)) == (1, 0)


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    start = published(tmp_path, network())
    with pytest.raises(TrainingError) as caught:
        start.load_into(network(), ["dog", "cat", "fox"])
    assert str(caught.value) == (
        "Version 7 has the classes cat, dog, fox; the data has dog, cat, fox. "
        "Weights can start a training for the same classes only."
    )
    classes = ["cat", "dog", "fox"]
    with pytest.raises(
        TrainingError, match=r"kernel is \[4, 3\], \S+ here is \[4, 5\]\. Choose its"
    ):
        start.load_into(network(5), classes)
    with pytest.raises(TrainingError, match="it has 6 arrays of weights, this one 0"):
        start.load_into(keras.Model(x := keras.Input((4,)), keras.layers.Flatten()(x)), classes)
    (start.folder / WEIGHTS).write_bytes(b"PK, no archive")
    with pytest.raises(TrainingError, match=r"weights\.npz cannot be read"):
        start.load_into(network(), classes)
    (start.folder / WEIGHTS).unlink()
    with pytest.raises(TrainingError, match="Version 7 brings no weights to start from"):
        start.load_into(network(), classes)


def test_live_is_the_version_that_serves(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No version of toy serves in"):
        find_initial_version(tmp_path, "toy", "live")
    for version in (1, 2):
        (tmp_path / "toy" / str(version)).mkdir(parents=True)
    assert find_initial_version(tmp_path, "toy", "live").version == 2
    write_policy(tmp_path / "toy", Policy(versions=(1,)))
    assert find_initial_version(tmp_path, "toy", "live").version == 1
    assert find_initial_version(tmp_path, "toy", "2").version == 2
    with pytest.raises(UsageError, match=r"toy has no version 3 in .*; there are: 1, 2"):
        find_initial_version(tmp_path, "toy", "3")


def test_a_resumed_training_has_its_own_copy(tmp_path: Path) -> None:
    start = published(tmp_path / "toy", network())
    assert kept_copy(tmp_path / "run") is None
    (tmp_path / "run" / ".draft").mkdir(parents=True)  # of one that was killed
    assert kept_copy(tmp_path / "run") is None
    kept = keep_copy(start, tmp_path / "run")
    assert kept == kept_copy(tmp_path / "run")
    assert kept.version == 7
    assert (kept.folder / WEIGHTS).read_bytes() == (start.folder / WEIGHTS).read_bytes()


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mnist(tmp_path, train=600, test=100)
    train = ["train", "digits", "--data", ".", "--out", "models"]
    assert cli.main([*train, "--init-from", "live"]) == 2
    assert "No version of digits serves in models" in capsys.readouterr().err
    assert cli.main([*train, "--epochs", "4", "--force"]) == 0
    assert cli.main([*train, "--epochs", "1", "--init-from", "live", "--force"]) == 0
    card = read_card(Path("models/digits/2"))
    assert card is not None
    assert card.training["init_from"] == 1
    assert card.training["learning_rate"] == pytest.approx(0.0001)
    # One gentle epoch after four: it has forgotten nothing.
    assert card.training["last_epoch"]["loss"] < 0.5
    assert "warning: version 1 learned" not in capsys.readouterr().out
    other = ["--seed", "3", "--no-publish"]
    assert cli.main([*train, "--epochs", "1", "--init-from", "1", *other]) == 0
    assert "warning: version 1 learned from this data with --seed 1, " in capsys.readouterr().out
    # Nor has one that learned from feedback as well seen less of it.
    note_feedback(Path("models/digits/1"))
    assert cli.main([*train, "--epochs", "1", "--init-from", "1", *other]) == 0
    assert "warning: version 1 learned from this data with --seed 1, " in capsys.readouterr().out


def note_feedback(version: Path) -> None:
    """Let a version's card say that it has learned from feedback as well."""
    path = version / "assets.extra" / "card.json"
    card = json.loads(path.read_text())
    card["data"] |= {
        "fingerprint": "of both",
        "feedback": {"data_fingerprint": card["data"]["fingerprint"]},
    }
    path.write_text(json.dumps(card))


def test_mpg_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(tmp_path / "cars.csv", CAR_HEADER, cars(60))
    assert cli.main(["train", "mpg", "--data", "cars.csv", "--init-from", "1"]) == 2
    assert capsys.readouterr().err.startswith("mpg cannot start from a version: its error comes")
    assert not Path("runs").exists()


@pytest.mark.parametrize("arch", ["default", "tutorial"])
def test_texts_keep_the_words_of_the_version(arch: str, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "first.jsonl", sentences(200, ["ham", "spam"]))
    train = ["train", "sentiment", "--arch", arch, "--out", "models", "--learning-rate", "0.05"]
    assert cli.main([*train, "--data", "first.jsonl", "--epochs", "10"]) == 0
    # Other texts, in which most of the words do not occur.
    rows = [
        (f"{TEXTS[label][0]} number {n}", label) for n in range(20) for label in ("ham", "spam")
    ]
    write_csv(tmp_path / "second.csv", ["text", "label"], [*rows])
    options = ["--data", "second.csv", "--epochs", "1", "--init-from", "1", "--force"]
    assert cli.main([*train, *options, "--learning-rate", "0.0001"]) == 0
    first, second = (Path("models/sentiment") / n / "assets" / "vocabulary.txt" for n in "12")
    assert first.read_bytes() == second.read_bytes()
    predict = open_saved_model(Path("models/sentiment/2"))
    asked = np.array([b"prize offer urgent claim", b"lunch home tomorrow later"], object)
    assert predict("serving_default", {"text": asked})["label"].tolist() == [b"spam", b"ham"]
