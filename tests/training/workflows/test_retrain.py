"""Retraining by a scheduler: exit codes, the lock, and what Prometheus is told."""

import errno
import fcntl
import json
import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from service.repository.model_card import CARD
from service.repository.model_store import Store
from tests.training.toy import write_points
from training.errors import TrainingError
from training.fitting.process_lock import exclusive_lock
from training.workflows import retrain, train
from understudy import cli

COMMAND = ["retrain", "toy", "--data", "data", "--out", "models", "--metrics-file", "toy.prom"]


def told() -> dict[str, float]:
    """Return the metrics file's samples by name, and by the label that is not the model."""
    samples = {}
    for line in Path("toy.prom").read_text().splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(
                r"understudy_retrain_(\w+)\{(.*)\} (\S+)", line
            ).groups()  # type: ignore[union-attr]
            other = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            assert other.pop("model") == "toy"
            samples["/".join([name, *other.values()])] = float(value)
    return samples


def outcome() -> str:
    (held,) = [name for name, value in told().items() if name.startswith("outcome/") and value]
    return held.removeprefix("outcome/")


def test_new_data_is_published_and_old_data_is_not_trained_again(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(COMMAND) == 0
    assert outcome() == "published"
    samples = told()
    assert samples["published_version"] == 1
    assert samples["metric/test accuracy"] > 0.9
    assert samples["duration_seconds"] > 0
    assert samples["end_timestamp_seconds"] > 1.7e9

    capsys.readouterr()
    assert cli.main(COMMAND) == 4
    assert capsys.readouterr().err.startswith(
        "There is no new data for toy: version 1 has learned from it (SHA-256 "
    )
    assert outcome() == "no_new_data"
    assert "published_version" not in told()
    assert len(list((toy / "runs" / "toy").iterdir())) == 1

    write_points(toy / "data", seed=1)
    # The live version answers otherwise than it did: what is learned now is refused.
    path = Store(toy / "models").versions("toy")[1] / CARD
    card = json.loads(path.read_text())
    card["contract"]["serving_default"]["outputs"][0]["choices"] = ["over there"]
    path.write_text(json.dumps(card))
    assert cli.main(COMMAND) == 3
    assert outcome() == "refused"
    assert told()["metric/test accuracy"] > 0.9
    assert list(Store(toy / "models").versions("toy")) == [1]


def test_the_newest_version_counts_though_it_waits(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(COMMAND) == 0
    live = Store(toy / "models").versions("toy")[1]
    newest = live.with_name("2")
    (newest / "assets.extra").mkdir(parents=True)
    (newest / CARD).write_bytes((live / CARD).read_bytes())
    (live / CARD).unlink()
    assert cli.main(["serve-policy", "toy", "--versions", "1", "--out", "models"]) == 0
    assert cli.main(COMMAND) == 4


def test_a_second_one_says_who_holds_the_lock(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = toy / "models" / "toy" / ".retrain.lock"
    with exclusive_lock(lock, "A retraining of toy"):
        assert cli.main(COMMAND) == 5
    error = capsys.readouterr().err
    assert re.fullmatch(
        rf"A retraining of toy is under way: process {os.getpid()} on \S+, since \S+, "
        r"holds models/toy/\.retrain\.lock\.\n",
        error,
    )
    assert not Path("toy.prom").exists()
    with lock.open() as file:  # given back
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_two_do_not_train_in_one_run(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "toy", "--data", "data", "--no-publish"]) == 0
    (run,) = (toy / "runs" / "toy").iterdir()
    with exclusive_lock(run / ".lock", "A training"):
        assert cli.main(["train", "toy", "--resume", str(run)]) == 5
    assert "is under way: process" in capsys.readouterr().err
    assert cli.main(["train", "toy", "--resume", str(run)]) == 0


def test_a_failure_is_told(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(run: object, **_: object) -> int:
        raise TrainingError("The disk is on fire.")

    monkeypatch.setattr(train, "train", fail)
    assert cli.main(COMMAND) == 1
    assert outcome() == "failed"


def test_a_retraining_takes_no_negative_time(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time

    def fail(run: object, **_: object) -> int:
        monkeypatch.setattr(time, "time", lambda: real() - 3600)
        raise TrainingError("The clock was set.")

    monkeypatch.setattr(train, "train", fail)
    assert cli.main(COMMAND) == 1
    assert told()["duration_seconds"] > 0


def test_a_folder_for_the_metrics_is_looked_for_first(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*COMMAND[:-1], "gone/toy.prom"]) == 2
    assert capsys.readouterr().err == "There is no folder gone for toy.prom.\n"


@pytest.mark.parametrize("name", ["toy.txt", "folder.prom"])
def test_a_file_that_the_collector_would_not_read(
    name: str, toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder.prom").mkdir()
    assert cli.main([*COMMAND[:-1], name]) == 2
    assert capsys.readouterr().err == (
        f"The textfile collector reads files whose names end in .prom, not {name}.\n"
    )


def test_metrics_that_cannot_be_written_hide_nothing(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(retrain, "write_textfile", full)
    assert cli.main(COMMAND) == 0
    assert "toy.prom cannot be written: No space left on device.\n" in capsys.readouterr().out
    assert cli.main(COMMAND) == 4


def test_a_request_to_stop_is_told_and_leaves_nothing(
    toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = shutil.copytree

    def stopped(*arguments: Any, **how: Any) -> None:
        copied(*arguments, **how)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(shutil, "copytree", stopped)
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(COMMAND) == 130
    assert signal.getsignal(signal.SIGTERM) is before
    assert capsys.readouterr().err.startswith(
        "Interrupted; the next retraining begins anew. To continue this one: "
        "understudy train toy --resume runs/toy/"
    )
    assert outcome() == "failed"
    assert [path.name for path in (toy / "models" / "toy").iterdir()] == [".retrain.lock"]


def test_help_names_both_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    assert {"retrain", "reproduce"} <= set(capsys.readouterr().out.split())
