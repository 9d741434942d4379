"""Conducts the training of a fleet: each member to its verdict, then a summary."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.console.progress import say
from training.errors import RefusedError, TrainingError
from training.fitting.process_lock import exclusive_lock
from training.fitting.run_folder import RUNS
from training.fleet.cluster_tasks import train_on_ray
from training.fleet.fleet_file import Member
from training.fleet.fleet_summary import print_summary, write_fleet_textfile
from training.fleet.local_processes import train_here
from training.fleet.member_training import BUSY, FAILED, REFUSED, MemberVerdict

_FLEETS = "fleets"
_LOCK = ".lock"


def train_fleet(
    name: str,
    members: Sequence[Member],
    *,
    jobs: int,
    cluster: str | None = None,
    metrics_file: Path | None = None,
) -> list[MemberVerdict]:
    """Train and publish each member that has new data.

    A fleet that was interrupted goes on when it is trained again: what was published has no new
    data, and a training that was broken off goes on from its last checkpoint.

    Args:
        name: the fleet's, of which its run folder is named.
        members: whom to train.
        jobs: how many at a time on this machine.
        cluster: the address of a Ray cluster; ``None`` trains on this machine.
        metrics_file: where to report to Prometheus; ``None`` reports nothing.

    Returns:
        all verdicts, in the order in which they came.

    Raises:
        BusyError: another process trains this fleet.
        TrainingError: a training failed, after all have ended.
        RefusedError: a gate refused one, and none failed; after all have ended.
    """
    folder = RUNS / _FLEETS / name
    verdicts = []
    with exclusive_lock(folder / _LOCK, f"A training of the fleet {name}"):
        for verdict in _verdicts(members, folder, jobs, cluster):
            verdicts.append(verdict)
            say(f"{len(verdicts)}/{len(members)}  {verdict.member}: {verdict.why}")
    print_summary(verdicts)
    if metrics_file is not None:
        try:
            write_fleet_textfile(metrics_file, name, verdicts, time.time())
        except OSError as error:
            # What counts is how the trainings went; the file's age shows that it is old.
            say(f"{metrics_file} cannot be written: {error.strerror}.")
    _raise_for(verdicts)
    return verdicts


def _verdicts(
    members: Sequence[Member], folder: Path, jobs: int, cluster: str | None
) -> Iterator[MemberVerdict]:
    if cluster is None:
        return train_here(members, folder, jobs)
    return train_on_ray(members, folder, cluster)


def _raise_for(verdicts: Sequence[MemberVerdict]) -> None:
    failed = [verdict.member for verdict in verdicts if verdict.outcome in (FAILED, BUSY)]
    if failed:
        raise TrainingError(
            f"{len(failed)} of {len(verdicts)} trainings failed: {', '.join(sorted(failed))}. "
            "Run the same command to continue."
        )
    refused = [verdict.member for verdict in verdicts if verdict.outcome == REFUSED]
    if refused:
        raise RefusedError(
            f"{len(refused)} of {len(verdicts)} trainings were refused by a gate: "
            f"{', '.join(sorted(refused))}."
        )
