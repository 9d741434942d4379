"""What would stop a version in the end is noticed before its training."""

import json
from pathlib import Path

import pytest

from service.repository.model_store import Store
from understudy import cli

TRAIN = ["train", "toy", "--data", "data", "--out", "models"]


def test_a_sensitive_field_that_there_is_not(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = "--sensitive names 'pint'; the contract's fields are point, probabilities, side.\n"
    assert cli.main([*TRAIN, "--sensitive", "pint"]) == 2
    captured = capsys.readouterr()
    assert captured.err == expected
    assert "epoch" not in captured.out
    assert list(toy.glob("runs/toy/*")) == []

    assert cli.main([*TRAIN, "--no-publish"]) == 0
    (run,) = toy.glob("runs/toy/*")
    export = (run / "export" / "saved_model.pb").stat()
    capsys.readouterr()
    assert cli.main(["train", "toy", "--resume", str(run), "--sensitive", "pint"]) == 2
    assert capsys.readouterr().err == expected
    assert (run / "export" / "saved_model.pb").stat() == export


def test_a_training_that_is_refused_leaves_no_folder(toy: Path) -> None:
    before = sorted(toy.rglob("*"))
    refused = [*TRAIN[:-1], "shops/north/models", "--sensitive", "pint"]
    assert cli.main(refused) == 2
    assert sorted(toy.rglob("*")) == before

    # What was there stays, and what others have put there meanwhile.
    (toy / "shops").mkdir()
    (toy / "runs" / "toy").mkdir(parents=True)
    assert cli.main(refused) == 2
    assert sorted(toy.glob("shops/**")) == [toy / "shops"]
    assert (toy / "runs" / "toy").is_dir()


def test_promises_that_the_version_will_break(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(TRAIN) == 0
    assert "warning" not in capsys.readouterr().out
    path = Store(toy / "models").versions("toy")[1] / "assets.extra" / "card.json"
    card = json.loads(path.read_text())
    (point,) = card["contract"]["serving_default"]["inputs"]
    point["maximum"] = 2
    path.write_text(json.dumps(card))

    broken = "input 'point' of signature 'serving_default' must be at most 1."
    assert cli.main(TRAIN) == 3
    before, trained = capsys.readouterr().out.split("epoch", 1)
    assert (
        "warning: its version will be refused without --force. "
        f"Not compatible with live version 1: {broken}\n"
    ) in before
    assert broken in trained
    # Nothing refuses what is not published.
    assert cli.main([*TRAIN, "--no-publish"]) == 0
    assert "warning" not in capsys.readouterr().out


def test_a_rollout_that_is_under_way(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(TRAIN) == 0
    assert cli.main([*TRAIN, "--seed", "2", "--rollout"]) == 0
    runs = sorted(toy.glob("runs/toy/*"))
    capsys.readouterr()
    assert cli.main([*TRAIN, "--seed", "3", "--rollout"]) != 0
    assert "epoch" not in capsys.readouterr().out
    assert sorted(toy.glob("runs/toy/*")) == runs
