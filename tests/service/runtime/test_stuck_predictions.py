"""Predictions that do not return: who is told what, and what is done about them."""

import asyncio
from pathlib import Path

import pytest

from service.errors import DeadlineError, UnavailableError
from service.monitoring.prometheus_metrics import Metrics
from service.runtime.stuck_predictions import StuckWatch
from tests.service.runtime.test_batching import Stage, on_loop


@on_loop
async def test_everybody_is_told_at_the_deadline_and_later_requests_at_once() -> None:
    stage = Stage(stuck_after_s=0.2)
    stage.model.go.clear()
    batch = [stage.ask(value, seconds=0.1) for value in (1, 2)]
    while not stage.model.threads:
        await asyncio.sleep(0.001)
    waiting = stage.ask(3, seconds=0.1)
    for answer in (*batch, waiting):
        with pytest.raises(DeadlineError):
            await answer
    while stage.cost.running_s < 0.2:
        await asyncio.sleep(0.001)
    with pytest.raises(UnavailableError, match="has not returned for"):
        await stage.ask(4, seconds=3600)
    stage.model.go.set()
    while stage.cost.running_s:
        await asyncio.sleep(0.001)
    assert await stage.ask(5) == [10]


@on_loop
async def test_a_call_that_takes_long_is_not_stuck_before_time() -> None:
    stage = Stage(stuck_after_s=3600)
    stage.model.go.clear()
    with pytest.raises(DeadlineError):
        await stage.ask(1, seconds=0.05)
    patient = stage.ask(2)
    stage.model.go.set()
    assert await patient == [4]


class _Version:
    model = "endless"
    version = 3

    def __init__(self) -> None:
        self.stuck: dict[str, float] = {}


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
    worker.watch.check()
    assert worker.gauge is None
    worker.version.stuck = {"serving_default": 1.0, "other": 2.0}
    worker.watch.check()
    assert worker.gauge == 2
    worker.version.stuck = {}
    worker.watch.check()
    assert worker.gauge == 0
    assert worker.replaced == 0


def test_the_worker_is_replaced_once_and_when_it_is_time() -> None:
    worker = _Worker(None)
    worker.version.stuck = {"serving_default": 9.9}
    worker.watch.check()
    assert worker.replaced == 0
    worker.version.stuck = {"serving_default": 10.1}
    worker.watch.check()
    worker.watch.check()
    assert worker.replaced == 1


def test_a_worker_is_not_replaced_when_the_setting_says_never() -> None:
    worker = _Worker(None, replace_after_s=0)
    worker.version.stuck = {"serving_default": 1e9}
    worker.watch.check()
    assert worker.replaced == 0


def test_workers_are_replaced_one_after_the_other(tmp_path: Path) -> None:
    workers = [_Worker(tmp_path) for _ in range(3)]
    for worker in workers:
        worker.version.stuck = {"serving_default": 100.0}
    for _ in range(3):
        for worker in workers:
            worker.watch.check()
    assert [worker.replaced for worker in workers] == [1, 0, 0]
    later = _Worker(tmp_path, pause_s=0)
    later.version.stuck = {"serving_default": 100.0}
    later.watch.check()
    assert later.replaced == 1
