"""How a version becomes a servable: verify, load, warm up, prove; each step timed and told."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from service.logs import log
from service.metrics import Metrics
from service.repository.errors import RepositoryError
from service.repository.independence import Declared
from service.repository.manifest import has_manifest, verify_manifest
from service.runtime.arrival import look_at
from service.runtime.servable import Fault, LoadError, Servable
from service.runtime.state import State

MakeServable = Callable[[str, int, Path], Servable]


class Loader:
    """Makes servables that have proved themselves."""

    def __init__(self, make: MakeServable, metrics: Metrics) -> None:
        """Prepare.

        Args:
            make: makes a servable of a model's name, a version and its folder.
            metrics: where the seconds of each step are counted.
        """
        self._make = make
        self._metrics = metrics

    def load(
        self,
        model: str,
        version: int,
        folder: Path,
        tell: Callable[[State], None],
        declared: Declared = None,
    ) -> Servable:
        """Return a servable of the version in ``folder`` that may take requests.

        Args:
            model: the model's name.
            version: the version's number.
            folder: the version's folder.
            tell: is told of each step as it begins.
            declared: what the model's policy says of the independence of rows.

        Raises:
            LoadError: the version cannot serve.
        """

        @contextlib.contextmanager
        def step(state: State) -> Iterator[None]:
            tell(state)
            start = time.perf_counter()
            yield
            seconds = time.perf_counter() - start
            self._metrics.load_seconds.labels(model, str(state)).observe(seconds)
            log(
                logging.INFO,
                f"A version has passed {state}.",
                model=model,
                version=version,
                milliseconds=round(seconds * 1000, 1),
            )

        with step(State.VERIFYING):
            if has_manifest(folder):
                try:
                    verify_manifest(folder)
                except RepositoryError as error:
                    raise LoadError(Fault.MANIFEST, str(error)) from error
            elif blocked := look_at(folder).blocked:
                raise LoadError(Fault.GRAPH, blocked)
        with step(State.LOADING):
            servable = self._make(model, version, folder)
        servable.declare_rows(declared)
        try:
            with step(State.WARMING):
                servable.warm_up()
            with step(State.PROVING):
                servable.prove()
                servable.check_rows()
        except BaseException:
            servable.retire(lambda: None)
            raise
        return servable
