"""Checkpoints of a run, taken out in three forms."""

import errno
import os
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from service.repository.model_card import read_card
from tests.digits import draw, write_mnist
from tests.owndata import sentences, write_jsonl
from training.publishing import saved_model_export
from training.publishing.saved_model_export import open_saved_model
from training.workflows import checkpoint_export
from understudy import cli


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of seven epochs, of which the last three are kept."""
    folder = tmp_path_factory.mktemp("takeout")
    write_mnist(folder / "data", train=400, test=100)
    options = ["--data", str(folder / "data"), "--epochs", "7", "--checkpoints", "3"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert cli.main(["train", "digits", *options, "--no-publish"]) == 0
    (found,) = (folder / "runs" / "digits").iterdir()
    return found


def weights(path: Path) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    with h5py.File(path) as file:
        file["layers"].visititems(
            lambda _, item: found.append(item[()]) if hasattr(item, "shape") else None
        )
    return found


def test_a_version_of_an_earlier_epoch(run: Path) -> None:
    assert cli.main(["export", str(run), "--epoch", "6"]) == 0
    folder = run / "exports" / "epoch-0006"
    card = read_card(folder)
    assert card is not None
    assert (card.training["exported_epoch"], card.training["epochs_done"]) == (6, 7)
    pictures, digits = draw(10, seed=9)
    predict = open_saved_model(folder)
    answers = predict("serving_default", {"image": pictures.astype(np.float32)})
    assert (answers["digit"] == digits).mean() > 0.5
    # It is the network after six epochs, whatever came later.
    kept = weights(run / "checkpoints" / "last-0006.weights.h5")
    with np.load(folder / "assets.extra" / "weights.npz") as file:
        exported = [file[name] for name in sorted(file.files) if name != "classes"]
    for mine, its in zip(exported, kept, strict=True):
        assert np.array_equal(mine, its)


def test_the_bare_weights_have_no_optimizer(run: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine.weights.h5"
    assert cli.main(["export", str(run), "--format", "weights", "--to", str(target)]) == 0
    with h5py.File(target) as file:
        assert "optimizer" not in file
    best = weights(run / "checkpoints" / "best.weights.h5")
    for mine, its in zip(weights(target), best, strict=True):
        assert np.array_equal(mine, its)


def test_a_keras_model_needs_nothing_of_ours(run: Path) -> None:
    assert cli.main(["export", str(run), "--format", "keras", "--epoch", "7"]) == 0
    model = keras.models.load_model(run / "exports" / "epoch-0007.keras")
    assert [type(layer).__name__ for layer in model.layers[-2:]] == ["Dropout", "Dense"]
    pictures, digits = draw(10, seed=9)
    logits = model(pictures.astype(np.float32)).numpy()  # without a warning
    assert (logits.argmax(axis=1) == digits).mean() > 0.5


def test_a_layer_of_ours_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "texts.jsonl", sentences(200, ["ham", "spam"]))
    options = ["--data", "texts.jsonl", "--epochs", "1", "--no-publish"]
    assert cli.main(["train", "sentiment", *options]) == 0
    (run,) = Path("runs/sentiment").iterdir()
    assert cli.main(["export", str(run), "--format", "keras", "--to", "bag.keras"]) == 0
    model = keras.models.load_model("bag.keras")
    assert model.layers[-1].ratio.shape == model.layers[-1].kernel.shape


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--epoch", "2"], "has no checkpoint of epoch 2; there are: 5, 6, 7."),
        (["--format", "keras", "--to", "x.h5"], "x.h5 must end in .keras: Keras takes no other name for it."),
        (["--to", "."], ". is there already."),
        (["--format", "onnx"], "--format: 'onnx' is not one of"),
    ],
)  # fmt: skip
def test_wrong_usage(
    run: Path, arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["export", str(run), *arguments]) == 2
    assert problem in capsys.readouterr().err


def test_a_place_that_cannot_be_a_folder_is_said(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "link"
    target.symlink_to("nowhere/at/all")
    capsys.readouterr()
    assert cli.main(["export", str(run), "--to", str(target)]) == 1
    assert capsys.readouterr().err == f"File exists: {target}\n"


@pytest.mark.parametrize(
    ("form", "name"),
    [("savedmodel", "version"), ("keras", "net.keras"), ("weights", "net.weights.h5")],
)
def test_an_export_that_fails_leaves_nothing(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    name: str,
) -> None:
    target = tmp_path / name
    real = checkpoint_export._save

    def full(*arguments: Any, **options: Any) -> None:
        if form != "savedmodel":
            real(*arguments, **options)
        assert target.exists()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))

    monkeypatch.setattr(checkpoint_export, "_save", full)
    monkeypatch.setattr(saved_model_export, "finish", full)
    assert cli.main(["export", str(run), "--format", form, "--to", str(target)]) == 1
    assert not target.exists()
