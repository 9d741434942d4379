"""A fleet in real processes: each member to its own verdict, whatever befalls another."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.repository.model_store import Store
from tests.digits import write_mnist
from tests.forked import TRAINING
from tests.owndata import CAR_HEADER, cars, write_csv
from tests.waiting import eventually
from training.fitting.run_folder import open_run
from training.fleet.fleet_file import read_fleet
from training.fleet.local_processes import LOG, interrupt_when_gone, train_here
from training.fleet.member_training import (
    FAILED,
    NO_NEW_DATA,
    PUBLISHED,
    REFUSED,
    MemberVerdict,
    train_member,
)
from understudy import cli

FLEET = """
[defaults]
task = "{task}"

[[training]]
name = "north"
data = "data"
out = "north"

[[training]]
name = "south"
data = "{south}"
out = "south"
"""


def write_fleet(folder: Path, *, task: str, south: str = "data") -> Path:
    path = folder / "shops.toml"
    path.write_text(FLEET.format(task=task, south=south))
    return path


def test_a_member_is_published_once_and_what_fails_is_a_verdict(
    toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.tasks.task_names", lambda: ["toy"])
    north, south = read_fleet(write_fleet(toy, task="toy", south="nowhere"))
    verdict = train_member(north, toy / "runs")
    assert (verdict.outcome, verdict.version) == (PUBLISHED, 1)
    assert list(Store(toy / "north").versions("toy")) == [1]
    again = train_member(north, toy / "runs")
    assert (again.outcome, again.version) == (NO_NEW_DATA, None)
    lost = train_member(south, toy / "runs")
    assert lost.outcome == FAILED
    assert "nowhere" in lost.why


def test_a_gate_refuses_one_member_alone(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.training.toy import Toy

    monkeypatch.setattr("training.tasks.task_names", lambda: ["toy"])
    monkeypatch.setattr(Toy, "min_quality", 1.01)
    north, _ = read_fleet(write_fleet(toy, task="toy"))
    verdict = train_member(north, toy / "runs")
    assert verdict.outcome == REFUSED
    assert "1.01" in verdict.why


def verdict(member: str, outcome: str) -> MemberVerdict:
    return MemberVerdict(member, outcome, "Why.", 3 if outcome == PUBLISHED else None, 1.0)


def test_exit_codes_and_the_metric_say_the_worst(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    fleet = write_fleet(tmp_path, task="digits")
    for south, code, error in (
        (PUBLISHED, 0, ""),
        (NO_NEW_DATA, 0, ""),
        (REFUSED, 3, "1 of 2 trainings were refused by a gate: south.\n"),
        (FAILED, 1, "1 of 2 trainings failed: south. Run the same command to continue.\n"),
    ):
        verdicts = [verdict("north", PUBLISHED), verdict("south", south)]
        monkeypatch.setattr(
            "training.fleet.fleet_training.train_here",
            lambda members, folder, jobs, verdicts=verdicts: iter(verdicts),
        )
        command = ["fleet", str(fleet), "--metrics-file", "shops.prom"]
        assert cli.main(command) == code
        said = capsys.readouterr()
        assert said.err == error
        assert re.search(r"^north +published +3 +1 +Why\.$", said.out, re.MULTILINE)
        told = Path("shops.prom").read_text()
        count = 1 + (south == PUBLISHED)
        assert f'{{fleet="shops",outcome="published"}} {count}.0\n' in told
        assert f'{{fleet="shops",outcome="failed"}} {float(south == FAILED)}\n' in told


def test_a_metrics_file_that_cannot_be_written_changes_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "textfile"
    folder.mkdir()

    def train(members: object, *_: object) -> Iterator[MemberVerdict]:
        yield verdict("north", PUBLISHED)
        folder.rmdir()  # While they train, after the place was checked.
        yield verdict("south", REFUSED)

    monkeypatch.setattr("training.fleet.fleet_training.train_here", train)
    fleet = write_fleet(tmp_path, task="digits")
    assert cli.main(["fleet", str(fleet), "--metrics-file", "textfile/shops.prom"]) == 3
    said = capsys.readouterr()
    assert said.err == "1 of 2 trainings were refused by a gate: south.\n"
    assert "textfile/shops.prom cannot be written: No such file or directory.\n" in said.out


def test_a_terminal_that_knows_few_letters_ends_no_training(
    tmp_path: Path, repository_root: Path
) -> None:
    write_csv(tmp_path / "日本.csv", CAR_HEADER, cars(60))
    fleet = write_fleet(tmp_path, task="mpg", south="nowhere")
    text = fleet.read_text().replace('"data"', '"日本.csv"')
    # Is said once the data is read, and before the training.
    fleet.write_text(text.replace("[defaults]", '[defaults]\nsensitive = "pint"'))
    told = subprocess.run(
        [sys.executable, "-m", "understudy", "fleet", fleet],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(repository_root), "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        encoding="latin-1",
        check=False,
    )
    # Without a line of TensorFlow's among them.
    end = "2 of 2 trainings failed: north, south. Run the same command to continue.\n"
    assert (told.returncode, told.stderr) == (1, end)
    assert "north: --sensitive names 'pint'" in told.stdout
    log = tmp_path / "runs" / "fleets" / "shops" / "north" / LOG
    assert "日本.csv" in log.read_text(encoding="utf-8")


def test_a_training_is_interrupted_when_its_conductor_is_gone() -> None:
    conductor, training = multiprocessing.Pipe()
    waiting = threading.Thread(target=interrupt_when_gone, args=(training,))
    waiting.start()
    # What the training tells is not taken for the end.
    training.send("verdict")
    assert conductor.recv() == "verdict"

    def is_interrupted() -> None:
        conductor.close()
        threading.Event().wait(30)

    with pytest.raises(KeyboardInterrupt):
        is_interrupted()
    waiting.join()


@pytest.fixture
def _forked_members() -> Iterator[None]:
    """Fork the members' processes from what other tests fork theirs from, already there."""
    with TRAINING.forking():
        yield


@pytest.mark.usefixtures("_forked_members")
def test_a_log_that_cannot_be_written_is_one_members_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    members = read_fleet(write_fleet(tmp_path, task="digits"))
    runs = tmp_path / "runs"
    runs.mkdir()
    for name in ("north", "south"):
        (runs / name).touch()
    whys = {each.member: (each.outcome, each.why) for each in train_here(members, runs, 2)}
    why = "Its log cannot be written: File exists: {}."
    assert whys == {name: (FAILED, why.format(runs / name)) for name in ("north", "south")}


@pytest.mark.usefixtures("_forked_members")
def test_an_interrupted_fleet_goes_on_and_a_lost_process_is_one_members_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_mnist(tmp_path / "data", 2000, 500)
    members = read_fleet(write_fleet(tmp_path, task="digits", south="nowhere"))
    runs = tmp_path / "runs"

    # Killed in its first epochs, as by a kernel that is short of memory.
    def kill_north() -> None:
        log = runs / "north" / LOG
        eventually(lambda: log.is_file() and "epoch 1" in log.read_text())
        (lock,) = (tmp_path / "north" / "digits").glob(".retrain.lock")
        pid = int(re.findall(r"process (\d+)", lock.read_text())[0])
        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_north)
    killer.start()
    first = {each.member: each for each in train_here(members, runs, 2)}
    killer.join()
    assert first["north"].why == "Its process was ended by SIGKILL."
    assert first["south"].outcome == FAILED
    assert "nowhere" in first["south"].why

    (run,) = (runs / "north" / "digits").iterdir()
    began = len(open_run(run).history())
    (north,) = train_here(members[:1], runs, 2)
    assert north.outcome == PUBLISHED, north.why
    # It went on with the run that was broken off.
    assert list((runs / "north" / "digits").iterdir()) == [run]
    assert began >= 1
    assert list(Store(tmp_path / "north").versions("digits")) == [1]
