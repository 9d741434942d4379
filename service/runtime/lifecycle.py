"""Keeps the versions in service that the store asks for, in step with the other workers."""

import contextlib
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from service.monitoring.logs import log
from service.monitoring.prometheus_metrics import Metrics
from service.repository.model_policy import Policy
from service.repository.model_source import ModelSource
from service.repository.unserved_entries import UnservedEntry
from service.runtime.folder_observations import FolderObservations
from service.runtime.loader import Loader
from service.runtime.missing_models import find_missing_models
from service.runtime.model_lookup import ModelLookup
from service.runtime.model_reconciler import ModelReconciler, Progress
from service.runtime.serving_record_writer import ServingRecordWriter
from service.runtime.worker_agreement import WorkerGroup

# Between looks while other workers are waited for; it bounds how far apart workers can flip.
_IN_STEP_S = 0.02
# Between looks at a model that loads, or waits for its turn to; a load that ends wakes it.
_LOADING_S = 0.05
# Between signs of life to the other workers.
_BEAT_S = 1.0
# A worker whose lifecycle has ended may take as long to leave by itself.
_LEAVE_S = 60.0


# Called with a model's name and its policy.
ObservePolicy = Callable[[str, Policy], None]


class Companion(Protocol):
    """What lives as long as a lifecycle, in a thread of its own."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


def stop_for_good() -> None:
    """End this process, since nothing keeps its models in step any more; does not return.

    Its server may finish what runs; who supervises it starts another.
    """
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_LEAVE_S)
    os._exit(1)


class Lifecycle(ModelLookup):
    """The models of one worker.

    One thread looks at the store, loads and retires; any number of threads take leases.
    """

    def __init__(
        self,
        store: ModelSource,
        group: WorkerGroup,
        loader: Loader,
        metrics: Metrics,
        *,
        poll_interval_s: float,
        quiet_s: float,
        load_wait_s: float = math.inf,
        on_death: Callable[[], None] = stop_for_good,
    ) -> None:
        """The models of ``store``; nothing is read or loaded before ``start``.

        Args:
            store: where versions appear.
            group: what this worker shares with the others of the service.
            loader: makes servables.
            metrics: where loads and live versions are counted.
            poll_interval_s: seconds between looks at the store.
            quiet_s: seconds that a version without a manifest must stay unchanged.
            load_wait_s: seconds after which a worker that serves anything is ready, though not
                all has been loaded.
            on_death: is called when the thread that watches the store fails for good.
        """
        super().__init__(group)
        self._store = store
        self._loader = loader
        self._metrics = metrics
        self._poll_interval_s = poll_interval_s
        self._quiet_s = quiet_s
        self._observations = FolderObservations(lambda: group.folder)
        self._ignored: list[UnservedEntry] = []
        self._load_wait_s = load_wait_s
        self._on_death = on_death
        self._started = math.inf
        self._stop = threading.Event()
        self._settled = threading.Event()
        # Set when a look is due at once; ``_due`` and ``_pending`` are guarded by ``_looked``.
        self._wake = threading.Event()
        # Models to look at in the next round, and those whose last look is not the end of it.
        self._due: set[str] = set()
        self._pending: set[str] = set()
        self._draining = False
        self._has_died = False
        self._thread: threading.Thread | None = None
        self._companions: list[Companion] = [ServingRecordWriter(store, self)]
        self._policy_observers: list[ObservePolicy] = []

    def observe_policies(self, observer: ObservePolicy) -> None:
        """Show a model's policy to ``observer`` whenever it was read and is in force."""
        self._policy_observers.append(observer)

    def accompany(self, companion: Companion) -> None:
        """Start and stop something else with this lifecycle."""
        self._companions.append(companion)

    def start(self) -> None:
        """Begin to watch the store, in a thread of this process."""
        self._group.join()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="lifecycle", daemon=True)
        self._thread.start()
        for companion in self._companions:
            companion.start()

    def reconcile_now(self, name: str, timeout_s: float) -> bool:
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
            self._group.leave()
            for companion in self._companions:
                companion.stop()

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

    def ignored(self) -> list[UnservedEntry]:
        """Return what lies in the folder of models and is not served, with reasons."""
        return self._ignored

    @property
    def store_problem(self) -> str:
        """Why nothing of the folder of models can be loaded now, in a sentence; else empty."""
        return self._missing.problem

    def _ask(self, name: str) -> None:
        """Ask for a look at a model at once; from any thread."""
        with self._looked:
            self._due.add(name)
            self._wake.set()

    def _run(self) -> None:
        try:
            self._watch()
        except BaseException as error:
            # Whatever it is: a worker that follows no decision any more must not go on.
            with contextlib.suppress(BaseException):
                log(
                    logging.CRITICAL,
                    "The lifecycle has ended, so its worker ends too.",
                    error=error,
                )
            self._has_died = True
            self._on_death()

    def _watch(self) -> None:
        progress: dict[str, Progress] = {}
        next_poll = 0.0
        while not self._stop.is_set():
            self._wake.clear()
            with self._looked:
                due, self._due = self._due, set()
            due |= {name for name, left in progress.items() if left is not Progress.SETTLED}
            if time.monotonic() >= next_poll:
                due |= {*self._store_models(), *self._models}
                next_poll = time.monotonic() + self._poll_interval_s
            self._reconcile(due, progress)
            unsettled = {n for n, left in progress.items() if left is not Progress.SETTLED}
            with self._looked:
                # Who asked for a look while this one ran gets the next.
                self._pending &= unsettled | self._due
                self._looked.notify_all()
            if not any(name in unsettled and not self.serves(name) for name in self.models()):
                self._settled.set()
            self._metrics.workers_ready.set(self.ready)
            self._metrics.keep_up()
            self._loader.count_left_behind()
            self._pause(next_poll, set(progress.values()))

    def _pause(self, next_poll: float, progress: set[Progress]) -> None:
        """Wait until a look is due."""
        now = time.monotonic()
        self._next_look = next_poll
        if Progress.LOADING in progress:
            self._next_look = min(next_poll, now + _LOADING_S)
        if Progress.IN_STEP in progress:
            self._next_look = min(next_poll, now + _IN_STEP_S)
        while not self._stop.is_set() and (now := time.monotonic()) < self._next_look:
            self._beat()
            if self._wake.wait(min(_BEAT_S, self._next_look - now)):
                return

    def _beat(self) -> None:
        try:
            if not self._group.beat():
                self._look_for_missed_decisions()
        except OSError as error:
            log(logging.ERROR, "The other workers cannot be reached.", error=error)

    def _look_for_missed_decisions(self) -> None:
        """Look at all models at once, since the others may have decided without this worker."""
        for name, model in self._models.items():
            model.is_behind = True
            self._ask(name)

    def _reconcile(self, names: set[str], progress: dict[str, Progress]) -> None:
        """Look at each model once, and note what the next look waits for."""
        for name in sorted(names):
            if self._stop.is_set():
                break
            self._beat()
            try:
                model = self._models.get(name)
                if model is None:
                    model = self._models[name] = self._new_model(name)
                progress[name] = model.reconcile()
                if model.is_gone:
                    del self._models[name], progress[name]
            except Exception as error:
                # The next look may succeed; what serves must not end with this thread.
                progress[name] = Progress.SETTLED
                log(logging.ERROR, "Checking a model failed.", error=error, model=name)

    def _store_models(self) -> list[str]:
        models, ignored = self._store.survey()
        self._missing = find_missing_models(self._store, self._group, models, ignored)
        known = {*self._models, *(item.path for item in ignored)}
        self._ignored = sorted([*ignored, *self._missing.ignored(known)])
        self._observations.log_unserved(self._ignored, after_s=self._quiet_s)
        return models

    def _new_model(self, name: str) -> ModelReconciler:
        return ModelReconciler(
            name,
            self._store,
            self._group,
            self._loader,
            self._metrics,
            quiet_s=self._quiet_s,
            observations=self._observations,
            wake=partial(self._ask, name),
            show_policy=partial(self._show_policy, name),
        )

    def _show_policy(self, name: str, policy: Policy) -> None:
        for observe in self._policy_observers:
            observe(name, policy)
