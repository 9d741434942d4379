"""A tuning's workers as tasks of a cluster, with a stand-in for Ray."""

import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from tests.training.cluster.ray_stand_in import RayError, StandIn, ray
from tests.training.tiny import Tiny
from training import tasks
from training.errors import UsageError
from training.fitting import config
from training.tuning import cluster_workers, storage, supervisor
from training.tuning.cluster_workers import workers_on_ray
from training.tuning.storage import StudyLocation
from understudy import cli

__all__ = ["ray"]

SETTINGS = config.resolve(Tiny.name, Tiny.architectures, {}, {"data": "cars.csv"})
SEARCH = Tiny.architectures["default"].search
assert SEARCH is not None
WORKERS = ["tiny-w-worker-0", "tiny-w-worker-1"]


@pytest.fixture
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyLocation:
    monkeypatch.chdir(tmp_path)
    return StudyLocation("sqlite:///study.db", "tiny-w")


@pytest.fixture
def study(location: StudyLocation) -> optuna.Study:
    return storage.open_or_create_study(location, "min", {}, {})


def test_tasks_work_wherever_they_run(
    ray: StandIn,
    study: optuna.Study,
    location: StudyLocation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One does its share, though another is lost; what it is given holds on every node."""

    def take_part(there: StudyLocation, settings: Any, wanted: int, number: int) -> str:
        assert there == StudyLocation(f"sqlite:///{tmp_path}/study.db", "tiny-w")
        assert settings.data == tmp_path / "cars.csv"
        for _ in range(wanted):
            study.add_trial(create_trial(value=float(number)))
        return ""

    monkeypatch.setattr(cluster_workers, "take_part", take_part)
    monkeypatch.setattr(supervisor, "_LOOK_S", 0.0)
    ray.lost = {WORKERS[0]: RayError("The node died.")}
    workers = workers_on_ray("auto", study, location, SETTINGS, 3, 2)
    supervisor.supervise(study, SEARCH, tmp_path, 3, workers)
    assert len(study.get_trials()) == 3
    told = capsys.readouterr().out
    assert f"{WORKERS[0]}: Ray lost it: The node died. Run the same command to" in told


def test_what_waits_for_a_processor_is_not_waited_for(
    ray: StandIn, study: optuna.Study, location: StudyLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "wait", lambda tasks, **_: ([], tasks))
    with workers_on_ray("auto", study, location, SETTINGS, 1, 2) as workers:
        assert workers.are_at_work()
        study.add_trial(create_trial(state=TrialState.RUNNING))
        study.add_trial(create_trial(value=1.0))
        assert workers.are_at_work()
        study.tell(0, state=TrialState.FAIL)
        assert not workers.are_at_work()
    assert ray.cancelled == WORKERS


def test_a_file_is_not_reached_from_another_machine(
    ray: StandIn, study: optuna.Study, location: StudyLocation
) -> None:
    ray.hosts += ["b", "a"]
    with (
        pytest.raises(UsageError, match=r"file of SQLite, study\.db, which .* reach: a, b\. Give"),
        workers_on_ray("auto", study, location, SETTINGS, 1, 1),
    ):
        pass


def test_how_a_node_fails_is_said_with_its_name(
    location: StudyLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "get", lambda _: Tiny())
    monkeypatch.setattr("socket.gethostname", lambda: "b")
    # The node has a folder of this name, but not the study.
    why = cluster_workers.take_part(location, SETTINGS, 1, 0)
    assert why == "On b: There is no study tiny-w in sqlite:///study.db."


def test_the_command_says_what_is_missing(
    ray: StandIn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    tune = ["tune", "mpg", "--trials", "1", "--on"]
    ray.refuses = ConnectionError("Nobody answers")
    assert cli.main([*tune, "auto"]) == 1
    assert capsys.readouterr().err == "There is no Ray cluster at auto: Nobody answers.\n"
    ray.refuses, why = None, "On b: The database cannot be used."
    monkeypatch.setattr(cluster_workers, "take_part", lambda *_: why)
    assert cli.main([*tune, "auto"]) == 1
    assert capsys.readouterr().err == f"{why}\n"
    monkeypatch.setitem(sys.modules, "ray", None)
    assert cli.main([*tune, "auto"]) == 2
    assert "pip install 'understudy[ray]'" in capsys.readouterr().err
