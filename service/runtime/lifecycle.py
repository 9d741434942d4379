"""The life of versions: discover, load, prove, swap in, retire; and what is known of each."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

from service.errors import NotFoundError, UnavailableError
from service.logs import log
from service.metrics import Metrics
from service.repository.errors import RepositoryError
from service.repository.manifest import has_manifest, verify_manifest
from service.repository.policy import Policy, read_policy
from service.repository.store import Store
from service.runtime.arrival import Arrival, look_at
from service.runtime.servable import LoadError, Servable


class State(StrEnum):
    """Where a version is in its life. Those before AVAILABLE are steps of its loading."""

    DISCOVERED = "discovered"
    VERIFYING = "verifying"
    LOADING = "loading"
    WARMING = "warming"
    PROVING = "proving"
    AVAILABLE = "available"
    DRAINING = "draining"
    END = "end"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """What is known of one version.

    Attributes:
        version: its number.
        state: where it is in its life.
        reason: why it failed or what it waits for, in a sentence; else empty.
    """

    version: int
    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Serving:
    """What answers for one model; replaced as a whole, so that a reader needs no lock."""

    servables: Mapping[int, Servable] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)

    @property
    def latest(self) -> Servable | None:
        return self.servables[max(self.servables)] if self.servables else None


@dataclass(slots=True)
class _Model:
    """The lifecycle's own notes on one model; only the watching thread writes them."""

    serving: _Serving = field(default_factory=_Serving)
    status: dict[int, VersionStatus] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    policy_problem: str = ""
    # How the files of a version looked when it was refused: it is tried again when they change.
    refused: dict[int, Arrival] = field(default_factory=dict)


LoadServable = Callable[[str, int, Path], Servable]


class Lifecycle:
    """Keeps the versions in service that the store and its policies ask for.

    One thread looks at the store, loads and retires; any number of threads take leases.
    """

    def __init__(
        self,
        store: Store,
        load: LoadServable,
        metrics: Metrics,
        *,
        poll_interval_s: float,
        quiet_s: float,
    ) -> None:
        """Prepare; nothing is read or loaded before ``start``.

        Args:
            store: where versions appear.
            load: makes a servable of a model's name, a version and its folder.
            metrics: where loads and live versions are counted.
            poll_interval_s: seconds between looks at the store.
            quiet_s: seconds that a version without a manifest must lie unchanged.
        """
        self._store = store
        self._load_servable = load
        self._metrics = metrics
        self._poll_interval_s = poll_interval_s
        self._quiet_s = quiet_s
        self._models: dict[str, _Model] = {}
        self._stop = threading.Event()
        self._looked = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch the store, in a thread of this process."""
        self._thread = threading.Thread(target=self._watch, name="lifecycle", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. What serves goes on serving, for the requests that still run."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def wait_until_looked(self, timeout_s: float) -> bool:
        """Wait until the store has been looked through once; ``False`` when time ran out."""
        return self._looked.wait(timeout_s)

    @property
    def ready(self) -> bool:
        """Whether the store has been looked through and at least one model serves."""
        return self._looked.is_set() and any(
            model.serving.servables for model in tuple(self._models.values())
        )

    def models(self) -> list[str]:
        """Return the names of all known models, whether they serve or not."""
        return sorted(self._models)

    def status(self, name: str) -> list[VersionStatus]:
        """Return what is known of a model's versions, highest first.

        Raises:
            NotFoundError: there is no such model.
        """
        status = dict(self._model(name).status)
        return [status[version] for version in sorted(status, reverse=True)]

    def require(self, name: str) -> None:
        """Raise ``NotFoundError`` unless there is such a model, whether it serves or not."""
        self._model(name)

    def serves(self, name: str) -> bool:
        """Whether any version of a model answers requests."""
        return self._model(name).serving.latest is not None

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
            NotFoundError: there is no such model, version or label.
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
            raise UnavailableError(
                f"No version of model {name!r} serves yet; GET /v1/models/{name} tells why.",
                retry_after_s=1,
            )
        versions = ", ".join(map(str, sorted(serving.servables)))
        raise NotFoundError(
            f"Version {version} of model {name!r} does not serve; these do: {versions}."
        )

    def _model(self, name: str) -> _Model:
        try:
            return self._models[name]
        except KeyError:
            known = ", ".join(self.models()) or "none"
            raise NotFoundError(f"There is no model {name!r}; there are: {known}.") from None

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except Exception as error:
                # The next look may succeed; what serves must not end with this thread.
                log(logging.ERROR, "Looking for versions failed.", error=error)
            self._stop.wait(self._poll_interval_s)

    def _look(self) -> None:
        for name in sorted({*self._store.models(), *self._models}):
            if self._stop.is_set():
                return
            self._look_at_model(name, self._models.setdefault(name, _Model()))
        self._looked.set()
        self._metrics.workers_ready.set(self.ready)

    def _look_at_model(self, name: str, model: _Model) -> None:
        folders = self._store.versions(name)
        self._read_policy(name, model)
        # A version that serves counts as there even when its folder has vanished.
        wanted = model.policy.select({*folders, *model.serving.servables})
        for version in wanted:
            if version not in model.serving.servables:
                self._try_to_load(name, model, version, folders[version])
        # While something wanted is missing, nobody gains from unloading what is there.
        if wanted and all(version in model.serving.servables for version in wanted):
            self._retire(name, model, keep=set(wanted))
        labels = {k: v for k, v in model.policy.labels.items() if v in model.serving.servables}
        if labels != model.serving.labels:
            model.serving = replace(model.serving, labels=labels)
        for version in model.status.keys() - folders.keys():
            if model.status[version].state in (State.DISCOVERED, State.FAILED, State.END):
                del model.status[version]
                model.refused.pop(version, None)

    def _read_policy(self, name: str, model: _Model) -> None:
        try:
            model.policy = read_policy(self._store.root / name)
            model.policy_problem = ""
        except RepositoryError as error:
            if model.policy_problem != str(error):
                log(logging.ERROR, "The policy is not followed.", model=name, reason=str(error))
            model.policy_problem = str(error)

    def _try_to_load(self, name: str, model: _Model, version: int, folder: Path) -> None:
        arrival = look_at(folder)
        if model.refused.get(version) == arrival:
            return
        if not arrival.complete(self._quiet_s):
            model.status[version] = VersionStatus(version, State.DISCOVERED, arrival.waiting_for)
            return
        try:
            servable = self._load(name, model, version, folder)
        except Exception as error:
            # Remembered as it looked before the attempt: a change during it is worth another.
            model.refused[version] = arrival
            self._refuse(name, model, version, error)
            return
        model.refused.pop(version, None)
        model.serving = replace(
            model.serving, servables={**model.serving.servables, version: servable}
        )
        model.status[version] = VersionStatus(version, State.AVAILABLE)
        self._metrics.loads.labels(name, "ok").inc()
        self._note_live_version(name, model)
        log(logging.INFO, "A version serves.", model=name, version=version)

    def _refuse(self, name: str, model: _Model, version: int, error: Exception) -> None:
        foreseen = isinstance(error, LoadError)
        reason = str(error) if foreseen else "Loading it failed; the service's log tells more."
        model.status[version] = VersionStatus(version, State.FAILED, reason)
        self._metrics.loads.labels(name, "failed").inc()
        log(
            logging.ERROR,
            "A version was refused.",
            error=None if foreseen else error,
            model=name,
            version=version,
            reason=reason,
        )

    def _load(self, name: str, model: _Model, version: int, folder: Path) -> Servable:
        def step(state: State) -> contextlib.AbstractContextManager[None]:
            model.status[version] = VersionStatus(version, state)
            return self._timed(name, state)

        with step(State.VERIFYING):
            if has_manifest(folder):
                try:
                    verify_manifest(folder)
                except RepositoryError as error:
                    raise LoadError(str(error)) from error
        with step(State.LOADING):
            servable = self._load_servable(name, version, folder)
        try:
            with step(State.WARMING):
                servable.warm_up()
            with step(State.PROVING):
                servable.prove()
        except BaseException:
            servable.retire(lambda: None)
            raise
        return servable

    @contextlib.contextmanager
    def _timed(self, name: str, state: State) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._metrics.load_seconds.labels(name, str(state)).observe(time.perf_counter() - start)

    def _retire(self, name: str, model: _Model, keep: set[int]) -> None:
        for version in sorted(model.serving.servables.keys() - keep):
            servables = dict(model.serving.servables)
            servable = servables.pop(version)
            # Out of sight first: from here on no request finds it, and those that did finish.
            model.serving = replace(model.serving, servables=servables)
            model.status[version] = VersionStatus(version, State.DRAINING)
            self._note_live_version(name, model)
            servable.retire(partial(self._note_end, name, model, version))

    def _note_end(self, name: str, model: _Model, version: int) -> None:
        model.status[version] = VersionStatus(version, State.END)
        log(logging.INFO, "A version was retired.", model=name, version=version)

    def _note_live_version(self, name: str, model: _Model) -> None:
        latest = model.serving.latest
        self._metrics.live_version.labels(name).set(latest.version if latest else 0)
