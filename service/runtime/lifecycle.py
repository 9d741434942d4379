"""Keeps the versions in service that the store asks for, in step with the other workers."""

import contextlib
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from service.errors import NotFoundError, UnavailableError
from service.monitoring.logs import log
from service.monitoring.metrics import Metrics
from service.repository.policy import Policy
from service.repository.store import Store
from service.repository.unserved_entries import Ignored
from service.runtime.loader import Loader
from service.runtime.missing_models import Absence, look_for_absent
from service.runtime.model import Model, Outlook
from service.runtime.servable import Servable
from service.runtime.serving_record import ServingRecord
from service.runtime.shared_observations import Sightings
from service.runtime.version_state import VersionStatus
from service.runtime.worker_group import WorkerGroup

# Between looks while other workers are waited for; it bounds how far apart workers can flip.
_IN_STEP_S = 0.02
# Between looks at a model that loads, or waits for its turn to; the end of a load is told at once.
_LOADING_S = 0.05
# Between signs of life to the other workers.
_BEAT_S = 1.0
# Later than planned by this much, the next look may have missed a decision: the process was
# stopped, or its lifecycle held up. Requests then wait for it to be followed, for as long at most.
_LATE_S = 0.5
_CATCH_UP_S = 2.0
# A worker whose lifecycle has ended may take as long to leave by itself.
_LEAVE_S = 60.0


def end_process() -> None:
    """End this process, since nothing keeps its models in step any more; does not return.

    Its server may finish what runs; who supervises it starts another.
    """
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_LEAVE_S)
    os._exit(1)


class Lifecycle:
    """The models of one worker.

    One thread looks at the store, loads and retires; any number of threads take leases.
    """

    def __init__(
        self,
        store: Store,
        board: WorkerGroup,
        loader: Loader,
        metrics: Metrics,
        *,
        poll_interval_s: float,
        quiet_s: float,
        load_wait_s: float = math.inf,
        on_death: Callable[[], None] = end_process,
    ) -> None:
        """Prepare; nothing is read or loaded before ``start``.

        Args:
            store: where versions appear.
            board: what this worker shares with the others of the service.
            loader: makes servables.
            metrics: where loads and live versions are counted.
            poll_interval_s: seconds between looks at the store.
            quiet_s: seconds that a version without a manifest must lie unchanged.
            load_wait_s: seconds after which a worker that serves anything is ready, though not
                all has been loaded.
            on_death: is called when the thread that watches the store fails for good.
        """
        self._store = store
        self._board = board
        self._loader = loader
        self._metrics = metrics
        self._poll_interval_s = poll_interval_s
        self._quiet_s = quiet_s
        self._sightings = Sightings(lambda: board.folder)
        self._ignored: list[Ignored] = []
        self._absence = Absence()
        self._load_wait_s = load_wait_s
        self._on_death = on_death
        self._started = math.inf
        self._next_look = math.inf
        # Until when requests wait for a model that must catch up.
        self._catch_up_by: dict[str, float] = {}
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
        self._has_died = False
        self._thread: threading.Thread | None = None
        self._record = ServingRecord(store, self)

    def start(self) -> None:
        """Begin to watch the store, in a thread of this process."""
        self._board.join()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._live, name="lifecycle", daemon=True)
        self._thread.start()
        self._record.start()

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
            self._pending.add(name)
            self._ask(name)
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
            if not self._has_died:
                self._thread.join(timeout_s)
            # From here on nothing is decided that this worker would have to follow.
            self._next_look = math.inf
            for model in self._models.values():
                with contextlib.suppress(OSError):
                    model.close()
            self._board.leave()
            self._record.stop()

    def wait_until_settled(self, timeout_s: float) -> bool:
        """Wait until all that can serve does; ``False`` when time ran out."""
        return self._settled.wait(timeout_s)

    @property
    def draining(self) -> bool:
        """Whether this worker is leaving."""
        return self._draining

    @property
    def all_ready(self) -> bool:
        """Whether every model serves, but for those that were unloaded."""
        models = tuple(self._models.values())
        return self.ready and all(m.serving.servables or m.unloaded for m in models)

    @property
    def ready(self) -> bool:
        """Whether requests should come here: a model serves, and the worker is not leaving."""
        return (
            (self._settled.is_set() or time.monotonic() - self._started > self._load_wait_s)
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

    def ignored(self) -> list[Ignored]:
        """Return what lies in the folder of models and is not served, with reasons."""
        return self._ignored

    @property
    def store_problem(self) -> str:
        """Why nothing of the folder of models can be loaded now, in a sentence; else empty."""
        return self._absence.problem

    def require(self, name: str) -> None:
        """Check that there is a model, whether it serves or not.

        Raises:
            NotFoundError: there is none.
            UnavailableError: there is, or may be, but its files are away and this worker has
                not loaded it.
        """
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

    def policy(self, name: str) -> Policy:
        """Return the policy that is in force for a model."""
        return self._model(name).policy

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
            UnavailableError: the model is known, but no version of it serves yet, or this worker
                was held up and has not caught up with the others.
        """
        servable = self.acquire(name, version, label)
        try:
            yield servable
        finally:
            servable.release()

    def acquire(self, name: str, version: int | None = None, label: str | None = None) -> Servable:
        """Lease as ``lease`` does; the caller must ``release`` the servable."""
        servable = self._find(name, version, label)
        while not servable.acquire():
            # It was retired between being found and being leased; its successor is in place.
            servable = self._find(name, version, label)
        return servable

    def _catch_up(self, name: str) -> None:
        """Follow what the others have decided without this worker before it answers again.

        Raises:
            UnavailableError: it takes too long.
        """
        now, model = time.monotonic(), self._models.get(name)
        if model is None or not (model.is_behind or now > self._next_look + _LATE_S):
            return

        def is_in_step() -> bool:
            decision = self._board.decision(name)
            serves = bool(model.serving.servables)
            return not serves or decision is None or decision.number <= model.followed

        with self._looked:
            if is_in_step():
                self._catch_up_by.pop(name, None)
                return
            # Together no longer than that: whoever waits here may be a whole event loop.
            left = self._catch_up_by.setdefault(name, now + _CATCH_UP_S) - now
            if not self._looked.wait_for(is_in_step, max(0.0, left)):
                raise UnavailableError(
                    "This worker was held up, and catches up with the others.", retry_after_s=1
                )
            self._catch_up_by.pop(name, None)

    def _find(self, name: str, version: int | None, label: str | None) -> Servable:
        self._catch_up(name)
        model = self._model(name)
        serving = model.serving
        if label is not None:
            if label not in serving.labels:
                known = ", ".join(sorted(serving.labels)) or "none"
                raise NotFoundError(f"Model {name!r} has no label {label!r}; its labels: {known}.")
            version = serving.labels[label]
        found = serving.latest if version is None else serving.servables.get(version)
        if found is not None:
            return found
        if not serving.servables:
            if model.unloaded:
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
            # That the others serve it, or that nothing can be seen, is not that there is none.
            if reason := self._absence.why(name):
                raise UnavailableError(reason, retry_after_s=1) from None
            known = ", ".join(self.models()) or "none"
            raise NotFoundError(f"There is no model {name!r}; there are: {known}.") from None

    def _ask(self, name: str) -> None:
        """Ask for a look at a model at once; from any thread."""
        with self._looked:
            self._due.add(name)
            self._wake.set()

    def _live(self) -> None:
        try:
            self._watch()
        except BaseException as error:
            # Whatever it is: a worker that follows no decision any more must not go on.
            with contextlib.suppress(BaseException):
                log(logging.CRITICAL, "The lifecycle has ended; so does its worker.", error=error)
            self._has_died = True
            self._on_death()

    def _watch(self) -> None:
        outlooks: dict[str, Outlook] = {}
        next_poll = 0.0
        while not self._stop.is_set():
            self._wake.clear()
            with self._looked:
                due, self._due = self._due, set()
            due |= {name for name, outlook in outlooks.items() if outlook is not Outlook.SETTLED}
            if time.monotonic() >= next_poll:
                due |= {*self._store_models(), *self._models}
                next_poll = time.monotonic() + self._poll_interval_s
            self._look(due, outlooks)
            unsettled = {n for n, outlook in outlooks.items() if outlook is not Outlook.SETTLED}
            with self._looked:
                # Who asked for a look while this one ran gets the next.
                self._pending &= unsettled | self._due
                self._looked.notify_all()
            if not any(name in unsettled and not self.serves(name) for name in self.models()):
                self._settled.set()
            self._metrics.workers_ready.set(self.ready)
            self._loader.count_left_behind()
            self._pause(next_poll, set(outlooks.values()))

    def _pause(self, next_poll: float, outlooks: set[Outlook]) -> None:
        """Wait until a look is due."""
        now = time.monotonic()
        self._next_look = next_poll
        if Outlook.LOADING in outlooks:
            self._next_look = min(next_poll, now + _LOADING_S)
        if Outlook.IN_STEP in outlooks:
            self._next_look = min(next_poll, now + _IN_STEP_S)
        while not self._stop.is_set() and (now := time.monotonic()) < self._next_look:
            self._beat()
            if self._wake.wait(min(_BEAT_S, self._next_look - now)):
                return

    def _beat(self) -> None:
        try:
            self._board.beat()
        except OSError as error:
            log(logging.ERROR, "The other workers cannot be reached.", error=error)

    def _look(self, names: set[str], outlooks: dict[str, Outlook]) -> None:
        """Look at each model once, and note what the next look waits for."""
        for name in sorted(names):
            if self._stop.is_set():
                break
            self._beat()
            try:
                model = self._models.setdefault(name, self._new_model(name))
                outlooks[name] = model.look()
                if model.is_gone:
                    del self._models[name], outlooks[name]
            except Exception as error:
                # The next look may succeed; what serves must not end with this thread.
                outlooks[name] = Outlook.SETTLED
                log(logging.ERROR, "Looking at a model failed.", error=error, model=name)

    def _store_models(self) -> list[str]:
        models, ignored = self._store.survey()
        self._absence = look_for_absent(self._store, self._board, models, ignored)
        told = {*self._models, *(item.path for item in ignored)}
        self._ignored = sorted([*ignored, *self._absence.ignored(told)])
        self._sightings.tell(self._ignored, after_s=self._quiet_s)
        return models

    def _new_model(self, name: str) -> Model:
        return Model(
            name,
            self._store,
            self._board,
            self._loader,
            self._metrics,
            quiet_s=self._quiet_s,
            sightings=self._sightings,
            wake=partial(self._ask, name),
        )
