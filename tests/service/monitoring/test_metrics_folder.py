"""Metrics of several processes in one folder: nothing is lost, and counters never fall."""

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from service.monitoring import metrics_folder
from service.monitoring.prometheus_metrics import Metrics
from tests.service.monitoring.conftest import FOLDER, Worker, predictions, size, values


def test_the_dead_are_folded_and_nothing_is_lost(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    sizes = []
    for number in range(1, 7):
        worker = start()
        for _ in range(3):
            worker.tell("count m 1")
        before = values(tmp_path)
        worker.kill()
        assert metrics_folder.fold_ended_processes(tmp_path)
        after = values(tmp_path)
        live = {place for place in before if place[0] == "understudy_workers_ready"}
        assert live
        assert {k: v for k, v in before.items() if k in after} == after
        assert not live & after.keys()
        assert predictions(tmp_path) == 3 * number
        sizes.append(size(tmp_path))
    assert sizes[-1] == sizes[0]
    assert not list(tmp_path.glob("*.db"))


def test_the_living_are_not_folded_whatever_their_process_ids(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    living = start()
    living.tell("count m 1")
    # As seen from a container in which nobody has that process id.
    for file in tmp_path.glob("*.db"):
        kind, owner = file.stem.rsplit("_", 1)
        file.rename(file.with_name(f"{kind}_4194305-{owner.partition('-')[2]}.db"))
    assert metrics_folder.fold_ended_processes(tmp_path)
    living.tell("count m 1")
    assert predictions(tmp_path) == 2
    assert values(tmp_path)["understudy_workers_ready", ()] == 1


def test_scrapes_see_counters_that_never_fall_and_add_up(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    """While workers count and are killed, and are folded by two at once."""
    draw = random.Random(1)
    told = [0]
    seen: list[float] = []
    done = threading.Event()

    def scrape() -> None:
        last = 0.0
        while not done.is_set():
            at_least = told[0]
            count = predictions(tmp_path) or 0.0
            seen.append(count)
            assert last <= count
            # One more may be counted than was confirmed.
            assert at_least <= count <= told[0] + 1
            last = count

    failures: list[BaseException] = []

    def watched(work: Callable[[], object]) -> None:
        try:
            while not done.is_set():
                work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=watched, args=(scrape,)) for _ in range(2)]
    threads += [
        threading.Thread(
            target=watched, args=(lambda: metrics_folder.fold_ended_processes(tmp_path),)
        )
        for _ in range(2)
    ]
    workers = [start(), start()]
    for thread in threads:
        thread.start()
    for _ in range(6):
        for _ in range(draw.randrange(5, 40)):
            assert workers[draw.randrange(2)].tell("count m 1") == 0
            told[0] += 1
        victim = draw.randrange(2)
        workers[victim].kill()
        workers[victim] = start()
    done.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert metrics_folder.fold_ended_processes(tmp_path)
    assert predictions(tmp_path) == told[0]
    assert len(set(seen)) > 10


def test_a_fork_counts_from_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    metrics = Metrics()
    version = metrics.version("m", "1")
    version.predictions("serving_default").inc(5)
    pid = os.fork()
    if pid == 0:
        try:
            version.predictions("serving_default").inc(2)
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert predictions(tmp_path) == 7
    assert metrics_folder.fold_ended_processes(tmp_path)
    version.predictions("serving_default").inc()
    assert predictions(tmp_path) == 8


def test_half_a_change_is_not_seen_and_is_cleared_away(
    tmp_path: Path, start: Callable[..., Worker]
) -> None:
    worker = start()
    worker.tell("count m 1")
    name = next(tmp_path.glob("counter_*.db")).name
    content = (tmp_path / name).read_bytes()
    # What one leaves that dies before its change is in force, and after.
    (tmp_path / "counter_1-a+99.db").write_bytes(content)
    (tmp_path / ".new-1-a").write_bytes(b"")
    os.utime(tmp_path / ".new-1-a", (0, 0))
    (tmp_path / ".draft-ended").write_bytes(b"1")
    assert predictions(tmp_path) == 1
    worker.kill()
    assert metrics_folder.fold_ended_processes(tmp_path)
    assert predictions(tmp_path) == 1
    (tmp_path / name).write_bytes(content)
    assert predictions(tmp_path) == 1
    metrics_folder.fold_ended_processes(tmp_path)
    assert predictions(tmp_path) == 1
    assert {file.name for file in tmp_path.iterdir()} <= {"ended", ".lock"}
