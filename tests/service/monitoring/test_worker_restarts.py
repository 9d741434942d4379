"""Restarts are counted by the master, which keeps no files, and none is lost or counted twice."""

from collections.abc import Callable
from pathlib import Path

from service.monitoring import metrics_folder
from service.monitoring.worker_restarts import WorkerRestarts
from tests.service.monitoring.conftest import Worker, values


def restarts(folder: Path) -> float | None:
    return values(folder).get(("understudy_worker_restarts_total", ()))


def test_they_add_up_over_workers_that_come_and_go(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    master = WorkerRestarts()
    start().tell("nothing")
    assert restarts(tmp_path) == 0
    for number in range(1, 4):
        worker = start()
        worker.tell("count m 1")
        worker.kill()
        master.note()
        master.fold(tmp_path)
        assert restarts(tmp_path) == number
    # One that was asked to end is folded as well.
    master.fold(tmp_path)
    assert restarts(tmp_path) == 3


def test_what_cannot_be_written_is_written_the_next_time(tmp_path: Path) -> None:
    master, folder = WorkerRestarts(), tmp_path / "gone"
    master.note()
    master.fold(folder)
    folder.mkdir()
    master.note()
    with metrics_folder.changing(folder):
        master.fold(folder)
    assert restarts(folder) is None
    master.fold(folder)
    master.fold(folder)
    assert restarts(folder) == 2
