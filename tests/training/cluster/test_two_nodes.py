"""Fleets and tunings on a real Ray cluster: two nodes as processes of this machine.

``make test-cluster`` installs Ray and runs this; ``make test`` does not.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from benchmarks.ray_nodes import RayNodes, ray_nodes
from service.repository.manifest import listed_files
from service.repository.model_store import Store
from tests.digits import write_mnist
from tests.waiting import eventually
from training.data.dataset_location import Found
from training.errors import TrainingError
from training.tuning import storage

pytest.importorskip("ray", reason="Ray is not installed; make test-cluster installs it")
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1200)]

WEIGHTS = "variables/variables.data-00000-of-00001"
FLEET = """
[defaults]
task = "digits"
epochs = 3
data = "data"
""" + "".join(
    f'[[training]]\nname = "{name}"\nout = "{name}"\nseed = {seed}\n'
    for seed, name in enumerate(("north", "east", "south"))
)
MEMBERS = ("north", "east", "south")


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayNodes]:
    """A cluster of two nodes; a test that kills the second one adds another."""
    with ray_nodes(2) as started:
        yield started


class Command(subprocess.Popen[str]):
    """``understudy`` in a folder."""

    def __init__(self, root: Path, folder: Path, *arguments: str) -> None:
        super().__init__(
            [sys.executable, "-m", "understudy", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __exit__(self, *error: Any) -> None:
        """Wait for its end; a test that fails does not."""
        if error[0] is not None:
            self.kill()
        super().__exit__(*error)


def run(root: Path, folder: Path, *arguments: str) -> str:
    with Command(root, folder, *arguments) as command:
        told, error = command.communicate(timeout=500)
    assert command.returncode == 0, (told, error)
    return told


def weights(folder: Path) -> dict[str, str]:
    """Return the hash of each member's weights; each is published once."""
    found = {}
    for member in MEMBERS:
        (version,) = Store(folder / member).versions("digits").values()
        found[member] = listed_files(version)[WEIGHTS]["sha256"]
    return found


def test_a_fleet_ends_whole_though_a_node_is_killed(
    cluster: RayNodes, repository_root: Path, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
        (folder / "shops.toml").write_text(FLEET)
        write_mnist(folder / "data", 6000, 500)
    on = ["fleet", "shops.toml", "--on", cluster.address]
    with Command(repository_root, there, *on) as command:

        def learning() -> set[int]:
            """Return the processes that have learned for an epoch."""
            assert command.poll() is None
            begun = {
                path.parents[1].parent.name
                for path in there.glob("runs/fleets/*/*/*/*/history.csv")
            }
            locks = there.glob("*/digits/.retrain.lock")
            return {
                int(re.findall(r"process (\d+)", lock.read_text())[0])
                for lock in locks
                if lock.parents[1].name in begun
            }

        second = cluster.nodes[-1]
        eventually(lambda: learning() & set(second.pids), 400)
        second.kill()
        told, error = command.communicate(timeout=500)
    assert command.returncode == 0, (told, error)
    assert re.findall(r"^(\w+) +published +1 ", told, re.MULTILINE) == sorted(MEMBERS)
    cluster.add()
    run(repository_root, here, "fleet", "shops.toml")
    assert weights(there) == weights(here)


def tuned(folder: Path) -> optuna.Study:
    return storage.load_study(storage.location_of(folder / "runs", "mpg", "tutorial", None))


def is_begun(folder: Path) -> bool:
    """Whether there is a study; until then its database is being made."""
    if not (folder / "runs" / "mpg" / "tune-tutorial" / "study.db").exists():
        return False
    try:
        return bool(tuned(folder).get_trials())
    except TrainingError:
        return False


def outcomes(study: optuna.Study) -> list[tuple[object, ...]]:
    return [
        (trial.state, trial.value, trial.params, trial.intermediate_values)
        for trial in study.get_trials()
    ]


TUNE = ["tune", "mpg", "--arch", "tutorial"]


def test_a_tuning_on_one_machine_and_on_the_cluster_are_equal(
    cluster: RayNodes, repository_root: Path, found_mpg: Found, tmp_path: Path
) -> None:
    found = []
    for name, on in (
        ("here", []),
        ("there", ["--on", cluster.address]),
        ("client", ["--on", cluster.client_address]),
    ):
        folder = tmp_path / name
        folder.mkdir()
        told = run(repository_root, folder, *TUNE, "--trials", "3", "--epochs", "2", *on)
        assert re.match(r"trial 0  val_mae \d", told)
        found.append(outcomes(tuned(folder)))
    assert found[0] == found[1] == found[2]


def test_a_tuning_ends_whole_though_a_node_is_killed(
    cluster: RayNodes, repository_root: Path, found_mpg: Found, tmp_path: Path
) -> None:
    """The trial of the killed node is marked, and repeated; no figure depends on the machine."""
    tune = [*TUNE, "--trials", "4", "--jobs", "2", "--epochs", "40", "--on", cluster.address]
    with Command(repository_root, tmp_path, *tune) as command:
        eventually(lambda: is_begun(tmp_path), 400)

        begun = tuned(tmp_path)

        def learning() -> int:
            assert command.poll() is None
            return sum(
                bool(trial.intermediate_values) and trial.state == TrialState.RUNNING
                for trial in begun.get_trials()
            )

        eventually(lambda: learning() == 2, 400)
        cluster.nodes[-1].kill()
        told, error = command.communicate(timeout=500)
    assert command.returncode == 0, (told, error)
    cluster.add()
    trials = tuned(tmp_path).get_trials()
    states = [trial.state for trial in trials]
    assert TrialState.RUNNING not in states
    assert states.count(TrialState.FAIL) == 1, told
    assert len(states) - 1 in (4, 5)
    assert re.search(r"^trial \d+  failed", told, re.MULTILINE)
    # Each trial comes to the same figures when this machine alone repeats its settings.
    alone = tmp_path / "alone"
    alone.mkdir()
    location = storage.location_of(alone / "runs", "mpg", "tutorial", None)
    Path(location.file or "").parent.mkdir(parents=True)
    declared = storage.declared(tuned(tmp_path))
    first, *rest = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    study = storage.open_or_create_study(location, "min", declared, first.params)
    for trial in rest:
        study.enqueue_trial(trial.params)
    count = str(len(rest) + 1)
    run(repository_root, alone, *TUNE, "--trials", count, "--epochs", "40")
    repeated = {
        json.dumps(t.params, sort_keys=True): t.intermediate_values for t in study.get_trials()
    }
    for trial in (first, *rest):
        assert repeated[json.dumps(trial.params, sort_keys=True)] == trial.intermediate_values


def test_ctrl_c_ends_all_tasks(
    cluster: RayNodes, repository_root: Path, found_mpg: Found, tmp_path: Path
) -> None:
    tune = [*TUNE, "--trials", "2", "--jobs", "2", "--epochs", "1000000", "--on", cluster.address]
    with Command(repository_root, tmp_path, *tune) as command:
        eventually(lambda: is_begun(tmp_path), 400)
        begun = tuned(tmp_path)
        eventually(
            lambda: sum(bool(trial.intermediate_values) for trial in begun.get_trials()) == 2, 400
        )
        command.send_signal(signal.SIGINT)
        _, error = command.communicate(timeout=100)
    assert command.returncode == 130
    assert error == "Interrupted. Run the same command to continue.\n"
    states = [trial.state for trial in tuned(tmp_path).get_trials()]
    assert states == [TrialState.FAIL, TrialState.FAIL]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nowhere"])
def test_a_cluster_that_is_not_there(repository_root: Path, tmp_path: Path, address: str) -> None:
    with Command(repository_root, tmp_path, *TUNE, "--trials", "1", "--on", address) as command:
        _, error = command.communicate(timeout=300)
    assert command.returncode == 1
    assert error.startswith(f"There is no Ray cluster at {address}: ")
    assert error.count("\n") == 1


def test_a_node_that_lacks_the_data_says_so(
    cluster: RayNodes, repository_root: Path, tmp_path: Path
) -> None:
    tune = [*TUNE, "--trials", "1", "--data", "nowhere", "--on", cluster.address]
    with Command(repository_root, tmp_path, *tune) as command:
        _, error = command.communicate(timeout=300)
    assert command.returncode == 1
    assert re.fullmatch(rf"On \S+: {tmp_path}/nowhere is not there\.\n", error)
