"""Predictions that do not return: who is told what, and what is done about them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from service.runtime.execution import Execution, ThreadCache

from service.errors import DeadlineError, UnavailableError
from service.metrics import Metrics
from service.runtime.stuck import StuckWatch
from tests.service.runtime.test_batching import Stage


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


@pytest.fixture
def stage(pool: ThreadPoolExecutor) -> Iterator[Stage]:
    stage = Stage(pool, is_bounded=False, stuck_after_s=0.2)
    yield stage
    stage.model.go.set()


def test_everybody_is_told_at_the_deadline(stage: Stage) -> None:
    stage.model.go.clear()
    first = stage.ask(1, seconds=0.2)
    assert stage.model.entered.acquire(timeout=10)
    waiting = [stage.ask(value, seconds=0.2) for value in (2, 3)]
    for future in (first, *waiting):
        with pytest.raises(DeadlineError):
            future.result(10)
    assert not stage.batcher._waiting


def test_those_in_the_batch_are_told_at_the_deadline(stage: Stage) -> None:
    stage.model.go.clear()
    first = stage.ask(1)
    assert stage.model.entered.acquire(timeout=10)
    batch = [stage.ask(value, seconds=1) for value in (2, 3)]
    stage.until_waiting(2)
    stage.model.go.set()
    assert first.result(10) == [2]
    assert [future.result(10) for future in batch] == [[4], [6]]
    # And again, with the batch held up.
    stage.model.go.clear()
    held = stage.ask(1, seconds=0.3)
    assert stage.model.entered.acquire(timeout=10)
    with pytest.raises(DeadlineError):
        held.result(10)


def test_later_requests_are_refused_at_once_until_it_returns(stage: Stage) -> None:
    stage.model.go.clear()
    first = stage.ask(1, seconds=0.2)
    assert stage.model.entered.acquire(timeout=10)
    with pytest.raises(DeadlineError):
        first.result(10)
    while not stage.batcher.stuck_s:
        threading.Event().wait(0.001)
    with pytest.raises(UnavailableError, match="has not returned for"):
        stage.ask(2, seconds=3600).result(10)
    stage.model.go.set()
    while stage.batcher._busy:
        threading.Event().wait(0.001)
    assert stage.batcher.stuck_s == 0
    assert stage.ask(3).result(10) == [6]


def test_a_call_that_takes_long_is_not_stuck_before_time(pool: ThreadPoolExecutor) -> None:
    stage = Stage(pool, is_bounded=False, stuck_after_s=3600)
    stage.model.go.clear()
    hasty = stage.ask(1, seconds=0.05)
    with pytest.raises(DeadlineError):
        hasty.result(10)
    patient = stage.ask(2)
    stage.until_waiting(1)
    stage.model.go.set()
    assert patient.result(10) == [4]


class _Version:
    model = "endless"
    version = 3

    def __init__(self) -> None:
        self.stuck: dict[str, float] = {}
        self.broken_off = 0

    def break_off(self) -> None:
        self.broken_off += 1


class _Worker:
    """A watch that is looked with by hand, and how often its worker was replaced."""

    def __init__(self, folder: Path | None, **options: float) -> None:
        self.metrics = Metrics()
        self.replaced = 0
        values = {"replace_after_s": 10, "pause_s": 60, **options}
        self.watch = StuckWatch(self.metrics, folder, replace=self._replace, **values)
        self.version = _Version()
        self.watch._versions.add(self.version)

    def _replace(self) -> None:
        self.replaced += 1

    @property
    def gauge(self) -> float | None:
        return self.metrics._registry.get_sample_value(
            "understudy_stuck_predictions", {"model": "endless", "version": "3"}
        )


def test_the_metric_rises_and_falls() -> None:
    worker = _Worker(None)
    worker.watch.look()
    assert worker.gauge is None
    worker.version.stuck = {"serving_default": 1.0, "other": 2.0}
    worker.watch.look()
    assert worker.gauge == 2
    assert worker.version.broken_off == 1
    worker.version.stuck = {}
    worker.watch.look()
    assert worker.gauge == 0
    assert worker.replaced == 0


def test_the_worker_is_replaced_once_and_when_it_is_time() -> None:
    worker = _Worker(None)
    worker.version.stuck = {"serving_default": 9.9}
    worker.watch.look()
    assert worker.replaced == 0
    worker.version.stuck = {"serving_default": 10.1}
    worker.watch.look()
    worker.watch.look()
    assert worker.replaced == 1


def test_a_worker_is_not_replaced_when_the_setting_says_never() -> None:
    worker = _Worker(None, replace_after_s=0)
    worker.version.stuck = {"serving_default": 1e9}
    worker.watch.look()
    assert worker.replaced == 0


def test_workers_are_replaced_one_after_the_other(tmp_path: Path) -> None:
    workers = [_Worker(tmp_path) for _ in range(3)]
    for worker in workers:
        worker.version.stuck = {"serving_default": 100.0}
    for _ in range(3):
        for worker in workers:
            worker.watch.look()
    assert [worker.replaced for worker in workers] == [1, 0, 0]
    later = _Worker(tmp_path, pause_s=0)
    later.version.stuck = {"serving_default": 100.0}
    later.watch.look()
    assert later.replaced == 1


def test_quick_calls_are_told_from_slow_ones() -> None:
    execution = Execution()
    assert execution.is_quick(1)
    execution.note(1, 0.0002)
    execution.note(64, 0.02)
    assert [execution.is_quick(rows) for rows in (1, 8, 64, 100, 256)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    # Once slow because others had the processor is not slow.
    execution.note(1, 0.005)
    assert execution.is_quick(1)
    for _ in range(100):
        execution.note(1, 0.005)
    assert not execution.is_quick(1)
    execution.note(1, 0.0002)
    assert execution.is_quick(1)
    assert not Execution(is_bounded=False).is_quick(1)


def test_threads_are_used_again() -> None:
    threads = ThreadCache()
    seen = set()
    for _ in range(5):
        done = threading.Event()

        def task(done: threading.Event = done) -> None:
            seen.add(threading.get_ident())
            done.set()

        threads.run(task)
        assert done.wait(10)
        while not threads._idle:
            threading.Event().wait(0.001)
    assert len(seen) == 1
