"""A tuning's workers as tasks of a Ray cluster. What they print is in Ray's logs."""

import contextlib
import socket
from collections.abc import Iterator

import optuna

from service.repository.errors import RepositoryError
from training import tasks
from training.cluster.ray_cluster import LostTask, RayCluster, ray_cluster
from training.console.library_errors import sentence_of
from training.console.progress import say
from training.errors import TrainingError, UsageError
from training.fitting.config import Settings
from training.tuning import storage
from training.tuning.storage import StudyLocation

_AGAIN = "Run the same command to continue."


class ClusterWorkers:
    """Tasks that work on a study; ``workers_on_ray`` begins them."""

    def __init__(self, cluster: RayCluster, study: optuna.Study, wanted: int) -> None:
        self._cluster = cluster
        self._study = study
        self._wanted = wanted
        self._failures: list[str] = []

    def are_at_work(self) -> bool:
        """Whether any of them has something left to do; failures are printed at once."""
        if self._cluster.is_idle:
            return False
        for name, outcome in self._cluster.ended(timeout_s=0):
            lost = isinstance(outcome, LostTask)
            why = f"{outcome.why} {_AGAIN}" if lost else outcome
            if why:
                say(f"{name}: {why}")
                self._failures.append(why)
        now = storage.tally(self._study)
        # What waits for a processor needs none when no trial is missing.
        return not self._cluster.is_idle and (now.finished < self._wanted or now.running > 0)

    def why(self) -> str:
        """Return how the first of those that failed did, in a sentence."""
        return self._failures[0] if self._failures else f"The tasks ended early. {_AGAIN}"


@contextlib.contextmanager
def workers_on_ray(
    address: str,
    study: optuna.Study,
    location: StudyLocation,
    settings: Settings,
    wanted: int,
    jobs: int,
) -> Iterator[ClusterWorkers]:
    """Let tasks of a cluster work while the block runs.

    A task whose node is lost is begun anew on another one, and its trial repeated when it has not
    been heard of for a while.

    Args:
        address: of the cluster, as ``ray_cluster`` takes it.
        study: which they work on.
        location: where it is recorded.
        settings: of each trial, where the search does not decide.
        wanted: how many finished trials it is to have.
        jobs: how many tasks.

    Raises:
        UsageError: Ray is not installed, or not all nodes reach the study.
        TrainingError: there is no cluster at the address.
    """
    with ray_cluster(address) as cluster:
        _check_reach(location, cluster.hosts())
        for number in range(jobs):
            work = (location.anywhere(), settings.anywhere(), wanted, number)
            cluster.begin(f"{location.study}-worker-{number}", take_part, *work)
        yield ClusterWorkers(cluster, study, wanted)


def take_part(location: StudyLocation, settings: Settings, wanted: int, number: int) -> str:
    """Work on a study, on a node; return how that failed, in a sentence, or else nothing."""
    # Imports TensorFlow, which the process that supervises the tuning does without.
    from training.tuning.worker import work

    try:
        work(tasks.get(settings.model), location, settings, wanted, number)
    except (TrainingError, RepositoryError) as error:
        return f"On {socket.gethostname()}: {error}"
    except Exception as error:
        why = sentence_of(error) or f"{type(error).__name__}: {error}"
        return f"On {socket.gethostname()}: {why}"
    return ""


def _check_reach(location: StudyLocation, hosts: set[str]) -> None:
    """Check that a study in a file is on the only machine that has nodes.

    Raises:
        UsageError: others have, too. Over a network file system SQLite loses what is written.
    """
    elsewhere = sorted(hosts - {socket.gethostname()})
    if location.file is not None and elsewhere:
        raise UsageError(
            f"The study is in a file of SQLite, {location.file}, which nodes of the cluster do not "
            f"reach: {', '.join(elsewhere)}. Give --storage the URL of a database on a server, "
            "such as postgresql+psycopg://user:password@host/database."
        )
