"""A training process that is killed outright, at the worst moments, and goes on as if nothing was."""

import signal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.digits import write_mnist
from tests.training.process import TrainingProcess
from tests.training.runs import figures_of
from training.fitting.run_folder import Run, open_run

# Batch norm, momentum and dropout all have a state; the digits' network has the last two.
TRAIN = ["train", "digits", "--data", "data", "--epochs", "4", "--no-publish"]

# Kills its own process, as the kernel does when memory is short.
KILL = "os.kill(os.getpid(), signal.SIGKILL)"
IN_THE_MIDST_OF_AN_EPOCH = f"""
make = training_loop.Batches.__getitem__
def deadly(self, index):
    if self._seed is not None and self._epoch == 2 and index == 5:
        {KILL}
    return make(self, index)
training_loop.Batches.__getitem__ = deadly
"""
IN_THE_MIDST_OF_A_CHECKPOINT = f"""
replace = pathlib.Path.replace
def deadly(self, target):
    if self.name == ".draft-last-0003.weights.h5":
        os.truncate(self, os.path.getsize(self) // 2)
        {KILL}
    return replace(self, target)
pathlib.Path.replace = deadly
"""


def process(folder: Path, *arguments: str, deadly: str = "") -> int:
    """Run a training in a process of its own; return its exit code."""
    script = (
        f"import os, pathlib, signal, sys\nfrom understudy import cli\nfrom training.fitting import training_loop\n{deadly}\n"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    return TrainingProcess("-c", script, *arguments, cwd=folder, logs=folder).wait(240)


def only_run(folder: Path) -> Run:
    (run,) = (folder / "runs" / "digits").iterdir()
    return open_run(run)


def weights(run: Run, name: str) -> dict[str, Any]:
    """Return the variables of a checkpoint, those of the optimizer included."""
    found: dict[str, Any] = {}
    with h5py.File(run.checkpoints / name) as file:
        file.visititems(
            lambda path, item: found.update({path: item[()]}) if hasattr(item, "shape") else None
        )
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the training was not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    write_mnist(folder / "data", train=600, test=100)
    assert process(folder, *TRAIN) == 0
    return folder


@pytest.mark.parametrize("deadly", [IN_THE_MIDST_OF_AN_EPOCH, IN_THE_MIDST_OF_A_CHECKPOINT])
def test_it_comes_to_the_same(whole: Path, tmp_path: Path, deadly: str) -> None:
    write_mnist(tmp_path / "data", train=600, test=100)
    assert process(tmp_path, *TRAIN, deadly=deadly) == -signal.SIGKILL
    run = only_run(tmp_path)
    assert not (run.checkpoints / "last-0003.weights.h5").exists()
    resume = ["train", "digits", "--resume", str(run.folder.relative_to(tmp_path))]
    assert process(tmp_path, *resume, "--no-publish") == 0
    straight = only_run(whole)
    assert figures_of(run) == figures_of(straight)
    assert [row["epoch"] for row in run.history()] == [1, 2, 3, 4]
    assert (run.folder / "history.csv").read_text().splitlines()[-1].startswith("4,")
    for name in ("last-0004.weights.h5", "best.weights.h5"):
        mine, theirs = weights(run, name), weights(straight, name)
        assert any(path.startswith("optimizer/") for path in mine)
        assert mine.keys() == theirs.keys()
        for path in mine:
            assert np.array_equal(mine[path], theirs[path]), (name, path)
