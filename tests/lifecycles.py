"""A worker's lifecycle in this process, without the service around it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from service.monitoring.prometheus_metrics import Metrics
from service.repository.model_store import Store
from service.runtime.lifecycle import Lifecycle
from service.runtime.loader import Loader, MakeServable
from service.runtime.servable import Servable
from service.runtime.version_state import State
from service.runtime.worker_agreement import WorkerGroup

Start = Callable[..., Lifecycle]


class CountingStore(Store):
    """A store that counts how often a model is looked at."""

    looks = 0

    def versions(self, model: str) -> dict[int, Path]:
        self.looks += 1
        return super().versions(model)


def servable(
    model: str, version: int, folder: Path, *, kind: type[Servable] = Servable
) -> Servable:
    """Load a version as lifecycles do; ``kind`` is the class of what is made."""
    return kind(model, version, folder, cores=1, most_rows=64, metrics=Metrics())


def lifecycle_of(
    models: Path,
    *,
    workers_folder: Path | None = None,
    load: MakeServable = servable,
    metrics: Metrics | None = None,
    poll_interval_s: float = 0.05,
    silent_s: float = 10.0,
    step_timeout_s: float = 300.0,
    quiet_s: float = 0.0,
    **options: Any,
) -> Lifecycle:
    """Return a lifecycle that has not been started.

    Args:
        models: the folder of models.
        workers_folder: the folder that it shares with other workers, if there are any.
        load: makes its servables.
        metrics: where it counts; in its own unless given.
        poll_interval_s: seconds between its looks at the store.
        silent_s: seconds after which a silent worker is not waited for.
        step_timeout_s: seconds that each step of a load may take.
        quiet_s: seconds that a version without a manifest must lie unchanged.
        **options: further arguments of ``Lifecycle``.
    """
    metrics = metrics or Metrics()
    return Lifecycle(
        CountingStore(models),
        WorkerGroup(workers_folder, silent_s=silent_s),
        Loader(load, metrics, step_timeout_s=step_timeout_s),
        metrics,
        poll_interval_s=poll_interval_s,
        quiet_s=quiet_s,
        **options,
    )


def started(
    models: Path, *, settled_s: float = 60, settles: bool = True, **options: Any
) -> Lifecycle:
    """Start a lifecycle, and wait until it has settled.

    Args:
        models: the folder of models.
        settled_s: how long to wait, in seconds.
        settles: whether to wait at all.
        **options: further arguments of ``lifecycle_of``.
    """
    lifecycle = lifecycle_of(models, **options)
    lifecycle.start()
    try:
        assert not settles or lifecycle.wait_until_settled(settled_s)
    except BaseException:
        lifecycle.stop()
        raise
    return lifecycle


@contextmanager
def starting(models: Path, **options: Any) -> Iterator[Start]:
    """Give a function that starts lifecycles as ``started`` does; stop them in the end.

    Args:
        models: the folder of models.
        **options: arguments of ``started``; the function takes others.
    """
    running: list[Lifecycle] = []

    def start(**further: Any) -> Lifecycle:
        running.append(started(models, **options, **further))
        return running[-1]

    try:
        yield start
    finally:
        for lifecycle in running:
            lifecycle.stop()


def look_some_times(lifecycle: Lifecycle) -> None:
    """Wait until a lifecycle has looked at its models several times from now on."""
    store = lifecycle._store
    assert isinstance(store, CountingStore)
    enough = store.looks + 10
    # The bound is only there so that a failing test ends.
    deadline = time.monotonic() + 60
    while store.looks < enough:
        assert time.monotonic() < deadline, "It does not look any more."
        time.sleep(0.02)


def load_servable(directory: Path, *, most_rows: int = 64) -> Servable:
    """Load a version by itself, as version 1 of the model ``m``."""
    return Servable("m", 1, directory, cores=1, most_rows=most_rows, metrics=Metrics())


def states(lifecycle: Lifecycle, model: str = "affine") -> dict[int, State]:
    """Return the states of a model's versions."""
    return {item.version: item.state for item in lifecycle.status(model)}


def live(lifecycle: Lifecycle, model: str = "affine") -> int:
    """Return the version of a model that answers."""
    with lifecycle.lease(model) as found:
        return found.version


def answer(affine: Servable) -> float:
    """Return what the model of ``tests.savedmodels.affine`` answers to ones: 3 and its bias."""
    outputs = affine.predict(affine.contract["only_y"], {"x": np.ones((1, 2), np.float32)})
    return float(outputs["y"][0])
