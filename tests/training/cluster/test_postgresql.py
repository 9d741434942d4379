"""A tuning in a real PostgreSQL: four processes, one killed, the server restarted in the midst.

``make test-cluster`` runs this; ``make test`` does not.
"""

import gc
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.service.events.postgres import Postgres, postgres
from tests.training.process import TrainingProcess
from tests.training.tiny import Tiny
from tests.waiting import eventually
from training.tuning import storage
from training.tuning.storage import StudyLocation

__all__ = ["postgres"]
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(600),
    # Optuna leaves its connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# What each process runs; a killed one's trial is given up sooner than usual.
TAKE_PART = """
import sys
from types import SimpleNamespace
from tests.training.tiny import Tiny
from training.fitting import config
from training.tuning import storage, worker as tuning_worker
from training.tuning.storage import StudyLocation
storage.BEAT_S, storage.GRACE_S = 1, 8
url, worker = sys.argv[1:]
tuning_worker.load_data = lambda *_: SimpleNamespace(data=None)
settings = config.resolve(Tiny.name, Tiny.architectures, {}, {"epochs": 60})
tuning_worker.work(Tiny(), StudyLocation(url, "tiny"), settings, 8, int(worker))
"""


def test_a_killed_process_and_a_restarted_server(postgres: Postgres, tmp_path: Path) -> None:
    end_though_one_is_killed(postgres, tmp_path)
    gc.collect()


def end_though_one_is_killed(postgres: Postgres, tmp_path: Path) -> None:
    location = StudyLocation(postgres.url, "tiny")
    search = Tiny.architectures["default"].search
    assert search is not None
    about = {"model": "tiny", "arch": "default", "search": search.to_json()}
    study = storage.open_or_create_study(location, "min", about, {})
    workers = []
    for number in range(4):
        logs = tmp_path / str(number)
        logs.mkdir()
        command = ["-c", TAKE_PART, location.url, str(number)]
        workers.append(TrainingProcess(*command, cwd=logs, logs=logs))

    def learning() -> int:
        return sum(
            bool(trial.intermediate_values)
            for trial in study.get_trials(states=(TrialState.RUNNING,))
        )

    try:
        eventually(lambda: learning() == 4, 300)
        workers[0].kill()
        postgres.stop()
        postgres.start()
        ended = [worker.wait(300) for worker in workers[1:]]
        assert ended == [0, 0, 0], [worker.errors.read_text() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    states = [trial.state for trial in study.get_trials()]
    assert TrialState.RUNNING not in states
    assert states.count(TrialState.FAIL) >= 1
    assert sum(map(storage.is_finished, study.get_trials())) >= 8
