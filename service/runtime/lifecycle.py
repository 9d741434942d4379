"""Keeps the versions in service that the store asks for, in step with the other workers."""

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping

from service.errors import NotFoundError, UnavailableError
from service.logs import log
from service.metrics import Metrics
from service.repository.store import Store
from service.runtime.board import Board
from service.runtime.loading import Loader
from service.runtime.model import Model
from service.runtime.servable import Servable
from service.runtime.state import VersionStatus

# Between looks while other workers are waited for; it bounds how far apart workers can flip.
_IN_STEP_S = 0.02


class Lifecycle:
    """The models of one worker.

    One thread looks at the store, loads and retires; any number of threads take leases.
    """

    def __init__(
        self,
        store: Store,
        board: Board,
        loader: Loader,
        metrics: Metrics,
        *,
        poll_interval_s: float,
        quiet_s: float,
    ) -> None:
        """Prepare; nothing is read or loaded before ``start``.

        Args:
            store: where versions appear.
            board: what this worker shares with the others of the service.
            loader: makes servables.
            metrics: where loads and live versions are counted.
            poll_interval_s: seconds between looks at the store.
            quiet_s: seconds that a version without a manifest must lie unchanged.
        """
        self._store = store
        self._board = board
        self._loader = loader
        self._metrics = metrics
        self._poll_interval_s = poll_interval_s
        self._quiet_s = quiet_s
        self._models: dict[str, Model] = {}
        self._stop = threading.Event()
        self._settled = threading.Event()
        # Set when a look is due at once; ``_due`` and ``_pending`` are guarded by ``_looked``.
        self._wake = threading.Event()
        self._looked = threading.Condition()
        # Models to look at in the next round, and those whose last look is not the end of it.
        self._due: set[str] = set()
        self._pending: set[str] = set()
        self._draining = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch the store, in a thread of this process."""
        self._board.join()
        self._thread = threading.Thread(target=self._watch, name="lifecycle", daemon=True)
        self._thread.start()

    def look_again(self, name: str, timeout_s: float) -> bool:
        """Look at a model at once, and wait until what serves is what the store asks for.

        Versions that cannot serve are not waited for.

        Args:
            name: the model's name, also of one that has only just appeared.
            timeout_s: seconds to wait at most.

        Returns:
            Whether the look came to an end in that time.
        """
        with self._looked:
            self._due.add(name)
            self._pending.add(name)
            self._wake.set()
            return self._looked.wait_for(lambda: name not in self._pending, timeout_s)

    def drain(self) -> None:
        """Say that this worker is leaving: it is not ready any more, but still answers."""
        self._draining = True

    def stop(self, timeout_s: float | None = None) -> None:
        """Stop watching. What serves goes on serving, for the requests that still run.

        Args:
            timeout_s: seconds to wait for a load under way, which nothing can interrupt; ``None``
                for as long as it takes.
        """
        self._stop.set()
        self._wake.set()
        if self._thread:
            self._thread.join(timeout_s)
            self._board.leave()

    def wait_until_settled(self, timeout_s: float) -> bool:
        """Wait until all that can serve does; ``False`` when time ran out."""
        return self._settled.wait(timeout_s)

    @property
    def all_ready(self) -> bool:
        """Whether every model serves, but for those that were unloaded."""
        models = tuple(self._models.values())
        return self.ready and all(m.serving.servables or m.unloaded for m in models)

    @property
    def ready(self) -> bool:
        """Whether requests should come here: a model serves, and the worker is not leaving."""
        return (
            self._settled.is_set()
            and not self._draining
            and any(model.serving.servables for model in tuple(self._models.values()))
        )

    def stuck(self) -> dict[str, list[str]]:
        """Return the signatures whose predictions do not return, by model, in this worker."""
        stuck = {
            name: sorted({key for each in model.serving.servables.values() for key in each.stuck})
            for name, model in sorted(self._models.items())
        }
        return {name: signatures for name, signatures in stuck.items() if signatures}

    def models(self) -> list[str]:
        """Return the names of all known models, whether they serve or not."""
        return sorted(self._models)

    def require(self, name: str) -> None:
        """Raise ``NotFoundError`` unless there is such a model, whether it serves or not."""
        self._model(name)

    def serves(self, name: str) -> bool:
        """Whether any version of a model answers requests."""
        return self._model(name).serving.latest is not None

    def unloaded(self, name: str) -> bool:
        """Whether a model's policy says that nothing serves."""
        return self._model(name).unloaded

    def serving_versions(self, name: str) -> list[int]:
        """Return the versions of a model that answer requests, lowest first."""
        return sorted(self._model(name).serving.servables)

    def status(self, name: str) -> list[VersionStatus]:
        """Return what is known of a model's versions, highest first.

        Raises:
            NotFoundError: there is no such model.
        """
        status = dict(self._model(name).status)
        return [status[version] for version in sorted(status, reverse=True)]

    def labels(self, name: str) -> Mapping[str, int]:
        """Return a model's labels and the versions they stand for."""
        return self._model(name).serving.labels

    def policy_problem(self, name: str) -> str:
        """Return why a model's policy file is not followed; empty when it is."""
        return self._model(name).policy_problem

    @contextlib.contextmanager
    def lease(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> Iterator[Servable]:
        """Hold the version that answers for a model; it stays loaded meanwhile.

        Args:
            name: the model's name.
            version: the version asked for.
            label: the label asked for; without either, the latest version answers.

        Raises:
            NotFoundError: there is no such model, version or label, or the model was unloaded.
            UnavailableError: the model is known, but no version of it serves yet.
        """
        servable = self._find(name, version, label)
        while not servable.acquire():
            # It was retired between being found and being leased; its successor is in place.
            servable = self._find(name, version, label)
        try:
            yield servable
        finally:
            servable.release()

    def _find(self, name: str, version: int | None, label: str | None) -> Servable:
        serving = self._model(name).serving
        if label is not None:
            if label not in serving.labels:
                known = ", ".join(sorted(serving.labels)) or "none"
                raise NotFoundError(f"Model {name!r} has no label {label!r}; its labels: {known}.")
            version = serving.labels[label]
        found = serving.latest if version is None else serving.servables.get(version)
        if found is not None:
            return found
        if not serving.servables:
            if self._models[name].unloaded:
                raise NotFoundError(f"Model {name!r} is unloaded; nothing of it serves.")
            raise UnavailableError(
                f"No version of model {name!r} serves yet; GET /v1/models/{name} tells why.",
                retry_after_s=1,
            )
        versions = ", ".join(map(str, sorted(serving.servables)))
        raise NotFoundError(
            f"Version {version} of model {name!r} does not serve; these do: {versions}."
        )

    def _model(self, name: str) -> Model:
        try:
            return self._models[name]
        except KeyError:
            known = ", ".join(self.models()) or "none"
            raise NotFoundError(f"There is no model {name!r}; there are: {known}.") from None

    def _watch(self) -> None:
        waiting: set[str] = set()
        while not self._stop.is_set():
            self._wake.clear()
            with self._looked:
                due, self._due = self._due, set()
            # While in step with other workers, the models that wait are all that matters.
            waiting = self._look(due | (waiting or {*self._store_models(), *self._models}))
            with self._looked:
                # Who asked for a look while this one ran gets the next.
                self._pending &= waiting | self._due
                self._looked.notify_all()
            if not waiting:
                self._settled.set()
            self._metrics.workers_ready.set(self.ready)
            if not self._stop.is_set():
                self._wake.wait(_IN_STEP_S if waiting else self._poll_interval_s)

    def _look(self, names: set[str]) -> set[str]:
        """Look at each model once, and return those that wait for other workers."""
        waiting = set()
        for name in sorted(names):
            if self._stop.is_set():
                break
            try:
                if self._models.setdefault(name, self._new_model(name)).look():
                    waiting.add(name)
            except Exception as error:
                # The next look may succeed; what serves must not end with this thread.
                log(logging.ERROR, "Looking at a model failed.", error=error, model=name)
        return waiting

    def _store_models(self) -> list[str]:
        try:
            return self._store.models()
        except OSError as error:
            log(logging.ERROR, "The folder of models cannot be read.", error=error)
            return []

    def _new_model(self, name: str) -> Model:
        return Model(
            name, self._store, self._board, self._loader, self._metrics, quiet_s=self._quiet_s
        )
