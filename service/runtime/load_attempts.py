"""A model's attempts to load versions, in one worker: when to try, and what a failure means."""

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import partial
from pathlib import Path

from service.monitoring.logs import log
from service.monitoring.metrics import Metrics
from service.repository.policy import Policy
from service.runtime.directory_snapshot import DirectorySnapshot, look_at
from service.runtime.failure_cause import is_machines_fault
from service.runtime.load_error import Fault, LoadError
from service.runtime.loader import ChangedError, Loaded, Loader, Loading, ReplacedError
from service.runtime.memory import give_back
from service.runtime.shared_observations import Sightings
from service.runtime.version_state import State
from service.runtime.worker_group import Refusal, WorkerGroup

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


class Loads:
    """The loads of one model in this worker; only the lifecycle's thread uses it."""

    def __init__(
        self,
        model: str,
        board: WorkerGroup,
        loader: Loader,
        metrics: Metrics,
        *,
        quiet_s: float,
        sightings: Sightings,
        policy: Callable[[], Policy],
        wake: Callable[[], None],
        tell: Callable[[int, State, str], None],
    ) -> None:
        """Prepare.

        Args:
            model: the model's name.
            board: what the workers agree on.
            loader: makes servables.
            metrics: where refusals are counted.
            quiet_s: seconds that a version without a manifest must lie unchanged.
            sightings: knows since when versions have lain unchanged.
            policy: returns the model's policy.
            wake: asks for a look at once; called from the threads that load.
            tell: is told of a version's state, and the reason for it.
        """
        self._model = model
        self._board = board
        self._loader = loader
        self._metrics = metrics
        self._quiet_s = quiet_s
        self._sightings = sightings
        self._policy = policy
        self._wake = wake
        self._tell = tell
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
        return self._fit(version, folder, refusals, contents) is not None and self._is_due(version)

    def begin(self, version: int, folder: Path | None) -> Readiness:
        """Begin to load a version, unless it is under way, or not due, or another's turn."""
        if version in self._under_way:
            return Readiness.LATER
        if folder is None:
            return Readiness.NEVER
        if not self._is_due(version):
            return Readiness.LATER
        if not self._board.take_load_lock(self._model, version):
            self._tell(version, State.DISCOVERED, self._waiting_for(version))
            return Readiness.LATER
        # While this worker waited for its turn another may have found the version bad.
        refusals, contents = self._board.refusals(self._model), self._board.contents(self._model)
        arrival = self._fit(version, folder, refusals, contents)
        if arrival is None:
            self._unlock(version)
            return Readiness.NEVER
        self._under_way[version] = self._loader.begin(
            self._model,
            version,
            folder,
            arrival,
            contents=partial(self._board.contents, self._model),
            declared=self._policy().rows_independent,
            tell=lambda state: self._tell(version, state, ""),
            on_end=self._wake,
        )
        return Readiness.LATER

    def end(self, folders: Mapping[int, Path]) -> dict[int, Loaded]:
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
                    self._note_failure(version, loading.arrival, error)
                    has_failed = True
                else:
                    self.forget(version)
                    self._tell(version, State.PROVED, "It waits for the other workers.")
            elif loading.runs and version not in self._noted:
                self._noted.add(version)
                self._board.note_run(self._model, version)
            elif version not in folders:
                self._give_up(version)
                message = "A version's folder vanished while it was loaded."
                log(logging.WARNING, message, model=self._model, version=version)
            elif reason := loading.overdue():
                self._give_up(version)
                self._refuse(version, loading.arrival, LoadError(Fault.DEADLINE, reason))
        if has_failed:
            # A graph that failed half-way refers to itself; and the error, which the last of these
            # names leads to, to the graph.
            del loading
            give_back()
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

    def note_replaced(self, version: int, loaded: Loaded) -> None:
        """Take note that a version was loaded under a number that stands for another content."""
        self._note_failure(version, loaded.arrival, ReplacedError(version, loaded.content))

    def forget(self, version: int) -> None:
        """Forget earlier attempts at a version."""
        self._attempts.pop(version, None)

    def _fit(
        self,
        version: int,
        folder: Path,
        refusals: Mapping[int, Refusal],
        contents: Mapping[int, str],
    ) -> DirectorySnapshot | None:
        """Return how the version's files look if they are worth an attempt."""
        arrival = look_at(folder)
        refusal = refusals.get(version)
        if refusal and refusal.digest == self._looks(arrival):
            self._tell(version, State.FAILED, refusal.reason)
            return None
        content = self._replaced.get((version, arrival.digest))
        if content and contents.get(version, content) != content:
            self._tell(version, State.FAILED, str(ReplacedError(version, content)))
            return None
        unchanged_s = 0.0
        if arrival.needs_quiet:
            unchanged_s = self._sightings.unchanged_for(self._model, version, arrival)
        if not arrival.complete(unchanged_s, self._quiet_s):
            self._tell(version, State.DISCOVERED, arrival.waiting_for)
            return None
        return arrival

    def _looks(self, arrival: DirectorySnapshot) -> str:
        """Return what a refusal holds for: these files, under what the policy allows them."""
        return "+".join([arrival.digest, *self._policy().allow_operations])

    def _failures(self, version: int) -> int:
        return self._attempts.get(version, (0, 0.0))[0]

    def _is_due(self, version: int) -> bool:
        return time.monotonic() >= self._attempts.get(version, (0, 0.0))[1]

    def _give_up(self, version: int) -> None:
        self._loader.give_up(self._under_way.pop(version))
        self._unlocked.add(version)

    def _waiting_for(self, version: int) -> str:
        """Say for whom a version waits that may not be loaded yet."""
        loading = self._board.loading()
        if (self._model, version) in loading:
            return "It waits for another worker to load it."
        names = [f"{model} {number}" for model, number in loading]
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        return f"It waits for {', '.join(names[:_MOST_NAMED]) or 'others'}{more} to load."

    def _unlock(self, version: int) -> None:
        self._unlocked.add(version)
        self._noted.discard(version)
        self._board.give_load_lock_back(self._model, version)
        self._unlocked.discard(version)

    def _note_failure(self, version: int, arrival: DirectorySnapshot, error: BaseException) -> None:
        match error:
            case ReplacedError():
                # Not for the others to know: it may be loaded once nobody holds the old content.
                self._replaced[version, arrival.digest] = error.content
                self._tell_refusal(version, Fault.REPLACED, str(error))
            case ChangedError():
                self._try_again(version, "Its files changed while it was loaded", None)
            case _ if is_machines_fault(error):
                # Without the path, which is not for those who ask for the status.
                what = error.strerror if isinstance(error, OSError) else str(error)
                self._try_again(version, f"Loading it failed, not by its own fault: {what}", error)
            case _:
                self._refuse(version, arrival, error)

    def _pause(self, version: int) -> float:
        """Put the next attempt off, and return for how many seconds."""
        failures = self._failures(version)
        pause = min(_FIRST_RETRY_S * 2.0**failures, _LAST_RETRY_S)
        self._attempts[version] = (failures + 1, time.monotonic() + pause)
        return pause

    def _try_again(self, version: int, what: str, error: BaseException | None) -> None:
        """Put a version off that failed for a reason which may pass."""
        pause = self._pause(version)
        reason = f"{what.rstrip('.')}; the next attempt is {pause:g} s later."
        self._tell(version, State.DISCOVERED, reason)
        log(
            logging.WARNING,
            "A version could not be loaded for now.",
            error=error,
            model=self._model,
            version=version,
            reason=reason,
        )
        proposed = self._board.proposal(self._model)
        if proposed and version in proposed.versions:
            # By then there may be something better to prepare.
            self._board.withdraw(self._model, proposed)

    def _refuse(self, version: int, arrival: DirectorySnapshot, error: BaseException) -> None:
        fault, reason = Fault.UNFORESEEN, "Loading it failed; the service's log tells more."
        if isinstance(error, LoadError):
            fault, reason = error.fault, str(error)
        self._pause(version)
        # As the files looked before the attempt: a change during it is worth another.
        self._board.refuse(self._model, version, Refusal(self._looks(arrival), reason))
        self._tell_refusal(version, fault, reason, error if fault is Fault.UNFORESEEN else None)

    def _tell_refusal(
        self, version: int, fault: Fault, reason: str, error: BaseException | None = None
    ) -> None:
        self._tell(version, State.FAILED, reason)
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
