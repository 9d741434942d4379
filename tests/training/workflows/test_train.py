"""A toy model from its data to the next version, through the gates."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from service.repository.golden_examples import read_golden
from service.repository.model_card import read_card
from service.repository.model_policy import read_policy
from service.repository.model_store import Store
from service.repository.reference.reference_file import read_reference
from tests.training.toy import write_points
from training import tasks
from training.data.dataset_location import Found
from training.fitting import config, run_folder
from training.workflows import train
from understudy import cli

GOOD = ["train", "toy", "--data", "data", "--out", "models"]
# Stays where chance put it, which is no good place with this seed.
BAD = [*GOOD, "--learning-rate", "0.0001", "--epochs", "1", "--seed", "3"]


def gates(folder: Path) -> dict[str, Any]:
    card = read_card(folder)
    assert card is not None
    return dict(card.training["gates"])


def test_a_version_follows_another_and_a_worse_one_does_not(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(toy / "models")
    assert cli.main([*GOOD, "--sensitive", "point"]) == 0
    assert re.search(r"^minimum +passed +test accuracy is ", capsys.readouterr().out, re.MULTILINE)

    assert cli.main([*GOOD, "--seed", "2"]) == 0
    assert "comparing it with live version 1" in capsys.readouterr().out
    # The 200 test points, described; the manifest has the file, or the store would not take it.
    reference = read_reference(store.versions("toy")[2])
    assert reference is not None
    assert (reference.rows, reference.origin, reference.held_out) == (200, "the test set", True)
    assert "outputs.side" in [field.name for field in reference.fields]
    second = gates(store.versions("toy")[2])
    # A retraining keeps what is sensitive.
    for number in (1, 2):
        card = read_card(store.versions("toy")[number])
        assert card is not None
        inputs = card.contract["serving_default"].inputs
        assert [field.sensitive for field in inputs] == [True]
    assert (second["passed"], second["live_version"]) == (True, 1)
    assert [outcome["gate"] for outcome in second["outcomes"]] == [
        "minimum", "contract", "comparison", "golden",
    ]  # fmt: skip

    assert cli.main([*BAD, "--rollout", "--rollout-rules", '{"step_s": 60}']) == 3
    told = capsys.readouterr().err
    assert told.startswith("Not published: test accuracy is 0.")
    assert "on the same 200 test examples; " in told
    assert list(store.versions("toy")) == [1, 2]
    run = told.split("--resume ")[1].split()[0]
    assert gates(Path(run) / "export")["forced"] is False

    # The way out that was named; whether it is good enough is left to live traffic, as before.
    way_out = shlex.split(told.split("To publish it anyway: understudy ")[1])
    assert way_out[:5] == ["train", "toy", "--resume", run, "--force"]
    assert cli.main(way_out) == 0
    told = capsys.readouterr().out
    assert "published anyway (--force)" in told
    assert "toy: version 2 serves; version 3 is on trial (shadow)" in told
    rollout = read_policy(toy / "models" / "toy").rollout
    assert rollout is not None
    assert (rollout.champion, rollout.candidate, rollout.rules.step_s) == (2, 3, 60)
    third = gates(store.versions("toy")[3])
    assert (third["passed"], third["forced"], third["live_version"]) == (False, True, 2)
    golden = read_golden(store.versions("toy")[3])
    assert golden is not None
    assert golden.examples[0].truth


def test_a_run_goes_on_with_no_other_data(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*GOOD, "--no-publish"]) == 0
    (run,) = (toy / "runs" / "toy").iterdir()
    write_points(toy / "data", seed=1)
    for command in (["train", "toy", "--resume", str(run)], ["export", str(run)]):
        capsys.readouterr()
        assert cli.main(command) == 1
        assert capsys.readouterr().err.startswith(f"{run} was begun with other data: its finger")
    assert Store(toy / "models").versions("toy") == {}
    write_points(toy / "data")
    assert cli.main(["train", "toy", "--resume", str(run)]) == 0
    # Where nothing was learned yet, there is nothing that could not go on.
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    write_points(toy / "data", seed=1)
    assert cli.main(["train", "toy", "--resume", str(run), "--no-publish"]) == 0


def test_a_run_that_is_taken_up_with_the_wrong_data_stays(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*GOOD, "--no-publish"]) == 0
    (run,) = (toy / "runs" / "toy").iterdir()
    shutil.rmtree(run / "checkpoints")  # as of one that was killed in its first epoch
    (run / "checkpoints").mkdir()
    assert cli.main(["train", "toy", "--resume", str(run), "--data", "gone"]) == 2
    assert cli.main(["train", "toy", "--resume", str(run)]) == 0


def test_a_run_whose_network_there_is_not_is_not_taken_up(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*GOOD, "--no-publish"]) == 0
    (config,) = (toy / "runs" / "toy").glob("*/config.json")
    config.write_text(config.read_text().replace('"default"', '"huge"'))
    capsys.readouterr()
    for command in (["train", "toy", "--resume"], ["export"]):
        assert cli.main([*command, str(config.parent)]) == 2
        assert capsys.readouterr().err.startswith("toy has no architecture 'huge'; it has ")
    assert config.exists()


@pytest.mark.parametrize("file", ["card.json", "golden.json"])
def test_a_live_version_that_cannot_be_read_is_named_before_the_training(
    toy: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    assert cli.main(GOOD) == 0
    shutil.rmtree(toy / "runs")
    folder = Store(toy / "models").versions("toy")[1]
    (folder / "assets.extra" / file).write_text("{")
    capsys.readouterr()
    for command in (GOOD, [*GOOD, "--no-publish"]):
        assert cli.main(command) == 1
        told = capsys.readouterr()
        assert told.err.startswith(
            f"Live version 1 of toy (models/toy/1) cannot be read: {file} is"
        )
        assert "epoch" not in told.out
    assert list(toy.glob("runs/toy/*")) == []


def test_what_a_tuning_chose_stands_beside_the_description_of_the_network(
    found_mpg: Found,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    task = tasks.get("mpg")
    toml = {"arch": "tutorial", "out": str(tmp_path / "models")}
    settings = config.resolve(task.name, task.architectures, toml, {})
    chosen = {"learning_rate": 0.0025, "units": 22, "layers": 2, "dropout": 0.25}
    run = run_folder.create_run_folder(tmp_path / "runs", config.with_chosen(settings, chosen))

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train.training_loop, "fit", stop)
    with pytest.raises(KeyboardInterrupt):
        train.train(run)
    # The tutorial's network has two layers itself.
    described = "normalisation, Dense 64, Dense 64, Dense 1, but with units 22, dropout 0.25; "
    assert f"mpg, tutorial: {described}" in capsys.readouterr().out
