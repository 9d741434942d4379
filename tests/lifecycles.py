"""A worker's lifecycle in this process, without the service around it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from service.monitoring.metrics import Metrics
from service.repository.store import Store
from service.runtime.lifecycle import Lifecycle
from service.runtime.loader import Loader
from service.runtime.servable import Servable
from service.runtime.worker_group import WorkerGroup

Start = Callable[[], Lifecycle]


def started(
    models: Path,
    *,
    workers_folder: Path | None = None,
    kind: type[Servable] = Servable,
    metrics: Metrics | None = None,
    settled_s: float = 60,
) -> Lifecycle:
    """Start a lifecycle and wait until it has settled.

    Args:
        models: the folder of models.
        workers_folder: the folder that it shares with other workers, if there are any.
        kind: what it loads.
        metrics: where it counts; in its own unless given.
        settled_s: how long to wait, in seconds.
    """
    metrics = metrics or Metrics()
    lifecycle = Lifecycle(
        Store(models),
        WorkerGroup(workers_folder),
        Loader(partial(kind, cores=1, most_rows=64, metrics=metrics), metrics),
        metrics,
        poll_interval_s=0.05,
        quiet_s=0.0,
    )
    lifecycle.start()
    try:
        assert lifecycle.wait_until_settled(settled_s)
    except BaseException:
        lifecycle.stop()
        raise
    return lifecycle


@contextmanager
def starting(models: Path, *, workers_folder: Path | None = None) -> Iterator[Start]:
    """Give a function that starts lifecycles as ``started`` does; stop them in the end."""
    running: list[Lifecycle] = []

    def start() -> Lifecycle:
        running.append(started(models, workers_folder=workers_folder))
        return running[-1]

    try:
        yield start
    finally:
        for lifecycle in running:
            lifecycle.stop()
