"""A model's attempts to load versions, in one worker: when to try, and what a failure means."""

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import partial
from pathlib import Path

from service.monitoring.logs import log
from service.monitoring.prometheus_metrics import Metrics
from service.repository.model_policy import Policy
from service.runtime.directory_snapshot import DirectorySnapshot, take_snapshot
from service.runtime.failure_cause import is_machines_fault
from service.runtime.folder_observations import FolderObservations
from service.runtime.load_error import Fault, LoadError
from service.runtime.loader import ChangedError, LoadedVersion, Loader, Loading, ReplacedError
from service.runtime.memory import release_memory
from service.runtime.version_state import State
from service.runtime.worker_agreement import Refusal, WorkerGroup

# Between attempts at a version: doubled from the first to the last.
_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 30.0
# A worker that cannot load what the others serve, for reasons that may pass, tries as often
# before it serves what it can.
_PATIENT_ATTEMPTS = 4
# Of the versions that another waits for.
_MOST_NAMED = 3


class Readiness(Enum):
    """Whether versions are held."""

    HELD = auto()
    LATER = auto()
    NEVER = auto()


class LoadAttempts:
    """The loads of one model in this worker; only the lifecycle's thread uses it."""

    def __init__(
        self,
        model: str,
        group: WorkerGroup,
        loader: Loader,
        metrics: Metrics,
        *,
        quiet_s: float,
        observations: FolderObservations,
        policy: Callable[[], Policy],
        wake: Callable[[], None],
        set_status: Callable[[int, State, str], None],
    ) -> None:
        """The attempts of a model of which nothing is loaded yet.

        Args:
            model: the model's name.
            group: what the workers agree on.
            loader: makes servables.
            metrics: where refusals are counted.
            quiet_s: seconds that a version without a manifest must stay unchanged.
            observations: knows since when versions have been unchanged.
            policy: returns the model's policy.
            wake: asks for a look at once; called from the threads that load.
            set_status: takes a version's state, and the reason for it.
        """
        self._model = model
        self._group = group
        self._loader = loader
        self._metrics = metrics
        self._quiet_s = quiet_s
        self._observations = observations
        self._policy = policy
        self._wake = wake
        self._set_status = set_status
        self._under_way: dict[int, Loading] = {}
        # How many attempts at a version have failed, and when the next is due.
        self._attempts: dict[int, tuple[int, float]] = {}
        # Which content was found under a number that stands for another; by the files' looks.
        self._replaced: dict[tuple[int, str], str] = {}
        self._unlocked: set[int] = set()
        # Versions under way of which the others know that they are loaded, and run.
        self._noted: set[int] = set()

    def seconds(self, version: int) -> float:
        """Return for how long a version has been loading; 0 when it is not."""
        return self._under_way[version].seconds if version in self._under_way else 0.0

    def have_failed_often(self, version: int) -> bool:
        """Whether to give a version up that the other workers have."""
        return version not in self._under_way and self._failures(version) >= _PATIENT_ATTEMPTS

    def are_worth_it(
        self,
        version: int,
        folder: Path,
        refusals: Mapping[int, Refusal],
        contents: Mapping[int, str],
    ) -> bool:
        """Whether a version is being loaded, or may be now."""
        if version in self._under_way:
            return True
        return self._snapshot_to_load(
            version, folder, refusals, contents
        ) is not None and self._is_due(version)

    def begin(self, version: int, folder: Path | None) -> Readiness:
        """Begin to load a version, unless it is under way, or not due, or another's turn."""
        if version in self._under_way:
            return Readiness.LATER
        if folder is None:
            return Readiness.NEVER
        if not self._is_due(version):
            return Readiness.LATER
        if not self._group.load_lock.take(self._model, version):
            self._set_status(version, State.DISCOVERED, self._waiting_for(version))
            return Readiness.LATER
        # While this worker waited for its turn another may have found the version bad.
        refusals, contents = self._group.refusals(self._model), self._group.contents(self._model)
        snapshot = self._snapshot_to_load(version, folder, refusals, contents)
        if snapshot is None:
            self._unlock(version)
            return Readiness.NEVER
        self._under_way[version] = self._loader.begin(
            self._model,
            version,
            folder,
            snapshot,
            contents=partial(self._group.contents, self._model),
            declared=self._policy().rows_independent,
            on_step=lambda state: self._set_status(version, state, ""),
            on_end=self._wake,
        )
        return Readiness.LATER

    def end(self, folders: Mapping[int, Path]) -> dict[int, LoadedVersion]:
        """Return what has been loaded; give up what takes too long or has lost its files."""
        loaded = {}
        has_failed = False
        for version, loading in tuple(self._under_way.items()):
            if loading.done:
                del self._under_way[version]
                self._unlocked.add(version)
                try:
                    loaded[version] = loading.result()
                except BaseException as error:
                    self._note_failure(version, loading.snapshot, error)
                    has_failed = True
                else:
                    self.forget(version)
                    self._set_status(version, State.PROVED, "It waits for the other workers.")
            elif loading.runs and version not in self._noted:
                self._noted.add(version)
                self._group.load_lock.note_run(self._model, version)
            elif version not in folders:
                self._give_up(version)
                message = "A version's folder vanished while it was loaded."
                log(logging.WARNING, message, model=self._model, version=version)
            elif reason := loading.overdue():
                self._give_up(version)
                self._refuse(version, loading.snapshot, LoadError(Fault.DEADLINE, reason))
        if has_failed:
            # A graph that failed half-way refers to itself; and the error, which the last of these
            # names leads to, to the graph.
            del loading
            release_memory()
        for version in tuple(self._unlocked):
            # Should it fail it is done at the next look: nobody else could load the version.
            with contextlib.suppress(OSError):
                self._unlock(version)
        return loaded

    def give_all_up(self) -> None:
        """Give up what is under way, since the worker stops."""
        for version in tuple(self._under_way):
            self._give_up(version)
            self._unlock(version)

    def note_replaced(self, version: int, loaded: LoadedVersion) -> None:
        """Note that a version was loaded under a number that stands for another content."""
        self._note_failure(version, loaded.snapshot, ReplacedError(version, loaded.content))

    def forget(self, version: int) -> None:
        """Forget earlier attempts at a version."""
        self._attempts.pop(version, None)

    def _snapshot_to_load(
        self,
        version: int,
        folder: Path,
        refusals: Mapping[int, Refusal],
        contents: Mapping[int, str],
    ) -> DirectorySnapshot | None:
        """Return a snapshot of the version's files; ``None`` if loading them need not be tried."""
        snapshot = take_snapshot(folder)
        refusal = refusals.get(version)
        if refusal and refusal.digest == self._refusal_digest(snapshot):
            self._set_status(version, State.FAILED, refusal.reason)
            return None
        content = self._replaced.get((version, snapshot.digest))
        if content and contents.get(version, content) != content:
            self._set_status(version, State.FAILED, str(ReplacedError(version, content)))
            return None
        unchanged_s = 0.0
        if snapshot.needs_quiet:
            unchanged_s = self._observations.unchanged_for(self._model, version, snapshot)
        if not snapshot.complete(unchanged_s, self._quiet_s):
            self._set_status(version, State.DISCOVERED, snapshot.waiting_for)
            return None
        return snapshot

    def _refusal_digest(self, snapshot: DirectorySnapshot) -> str:
        """Return what a refusal is valid for: the files' digest, and the allowed operations."""
        return "+".join([snapshot.digest, *self._policy().allow_operations])

    def _failures(self, version: int) -> int:
        return self._attempts.get(version, (0, 0.0))[0]

    def _is_due(self, version: int) -> bool:
        return time.monotonic() >= self._attempts.get(version, (0, 0.0))[1]

    def _give_up(self, version: int) -> None:
        self._loader.give_up(self._under_way.pop(version))
        self._unlocked.add(version)

    def _waiting_for(self, version: int) -> str:
        """Return for whom a version waits that may not be loaded yet."""
        loading = self._group.load_lock.holders()
        if (self._model, version) in loading:
            return "It waits for another worker to load it."
        names = [f"{model} {number}" for model, number in loading]
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        return f"It waits for {', '.join(names[:_MOST_NAMED]) or 'others'}{more} to load."

    def _unlock(self, version: int) -> None:
        self._unlocked.add(version)
        self._noted.discard(version)
        self._group.load_lock.release(self._model, version)
        self._unlocked.discard(version)

    def _note_failure(
        self, version: int, snapshot: DirectorySnapshot, error: BaseException
    ) -> None:
        match error:
            case ReplacedError():
                # The others need not know: it may be loaded once nobody holds the old content.
                self._replaced[version, snapshot.digest] = error.content
                self._report_refusal(version, Fault.REPLACED, str(error))
            case ChangedError():
                self._try_again(version, "Its files changed while it was loaded", None)
            case _ if is_machines_fault(error):
                # Without the path, which is not for those who ask for the status.
                what = error.strerror if isinstance(error, OSError) else str(error)
                self._try_again(
                    version, f"Loading it failed for a reason outside of the version: {what}", error
                )
            case _:
                self._refuse(version, snapshot, error)

    def _pause(self, version: int) -> float:
        """Put the next attempt off, and return for how many seconds."""
        failures = self._failures(version)
        pause = min(_FIRST_RETRY_S * 2.0**failures, _LAST_RETRY_S)
        self._attempts[version] = (failures + 1, time.monotonic() + pause)
        return pause

    def _try_again(self, version: int, what: str, error: BaseException | None) -> None:
        """Put a version off that failed for a reason which may pass."""
        pause = self._pause(version)
        reason = f"{what.rstrip('.')}; the next attempt follows in {pause:g} s."
        self._set_status(version, State.DISCOVERED, reason)
        log(
            logging.WARNING,
            "A version could not be loaded for now.",
            error=error,
            model=self._model,
            version=version,
            reason=reason,
        )
        proposed = self._group.proposal(self._model)
        if proposed and version in proposed.versions:
            # By then there may be something better to prepare.
            self._group.withdraw(self._model, proposed)

    def _refuse(self, version: int, snapshot: DirectorySnapshot, error: BaseException) -> None:
        fault, reason = Fault.UNFORESEEN, "Loading it failed; see the service's log."
        if isinstance(error, LoadError):
            fault, reason = error.fault, str(error)
        self._pause(version)
        # As the files looked before the attempt: a change during it is worth another.
        self._group.refuse(self._model, version, Refusal(self._refusal_digest(snapshot), reason))
        self._report_refusal(version, fault, reason, error if fault is Fault.UNFORESEEN else None)

    def _report_refusal(
        self, version: int, fault: Fault, reason: str, error: BaseException | None = None
    ) -> None:
        self._set_status(version, State.FAILED, reason)
        self._metrics.swaps.labels(self._model, "refused").inc()
        self._metrics.last_refusal.labels(self._model, str(fault)).set_to_current_time()
        log(
            logging.ERROR,
            "A version was refused.",
            error=error,
            fault=str(fault),
            model=self._model,
            version=version,
            reason=reason,
        )
