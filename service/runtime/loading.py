"""How a version becomes a servable: verify, load, warm up, prove; each step timed and told."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from service.logs import log
from service.metrics import Metrics
from service.repository.errors import RepositoryError
from service.repository.manifest import has_manifest, verify_manifest
from service.runtime.servable import Fault, LoadError, Servable
from service.runtime.state import State

MakeServable = Callable[[str, int, Path], Servable]


class Loader:
    """Makes servables that have proved themselves."""

    def __init__(
        self,
        make: MakeServable,
        metrics: Metrics,
        watch: Callable[[Servable], None] = lambda servable: None,
    ) -> None:
        """Prepare.

        Args:
            make: makes a servable of a model's name, a version and its folder.
            metrics: where the seconds of each step are counted.
            watch: is told of each servable that is made.
        """
        self._watch = watch
        self._make = make
        self._metrics = metrics

    def load(
        self, model: str, version: int, folder: Path, tell: Callable[[State], None]
    ) -> Servable:
        """Return a servable of the version in ``folder`` that may take requests.

        Args:
            model: the model's name.
            version: the version's number.
            folder: the version's folder.
            tell: is told of each step as it begins.

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
        with step(State.LOADING):
            servable = self._make(model, version, folder)
            self._watch(servable)
        try:
            with step(State.WARMING):
                servable.warm_up()
            with step(State.PROVING):
                servable.prove()
        except BaseException:
            servable.retire(lambda: None)
            raise
        return servable
