"""One model in one worker: which of its versions are held, and which of them answer."""

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import partial
from pathlib import Path

from service.logs import log
from service.metrics import Metrics
from service.repository.errors import RepositoryError
from service.repository.manifest import content_digest, has_manifest
from service.repository.policy import Policy, read_policy
from service.repository.store import Store
from service.runtime.arrival import Arrival, look_at
from service.runtime.blame import is_machines_fault
from service.runtime.board import Board, Decision, Plan, Refusal
from service.runtime.loading import ChangedError, Loaded, Loader, Loading, ReplacedError
from service.runtime.memory import give_back
from service.runtime.servable import Fault, LoadError, Servable
from service.runtime.state import State, VersionStatus

# Between attempts at a version: doubled from the first to the last.
_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 30.0
# A worker that cannot load what the others serve, for reasons that may pass, tries as often
# before it serves what it can.
_PATIENT_ATTEMPTS = 4
# With nothing to serve, a version that loads for longer gives way to an older one meanwhile.
_LONGEST_SILENCE_S = 10.0
_VANISHED = "Its folder has vanished; it goes on serving from memory."
_CHANGED = (
    "Its files have changed since it was loaded; what was loaded goes on serving. A number stands "
    "for one content: publish another under a new number."
)


class Outlook(Enum):
    """What a look at a model has left to do."""

    SETTLED = auto()
    LOADING = auto()
    IN_STEP = auto()


class _Readiness(Enum):
    """Whether versions are held."""

    HELD = auto()
    LATER = auto()
    NEVER = auto()


@dataclass(frozen=True, slots=True)
class Serving:
    """What answers for a model; replaced as a whole, so that a reader needs no lock.

    Attributes:
        servables: the versions that answer.
        labels: other names for some of them.
    """

    servables: Mapping[int, Servable] = field(default_factory=dict)
    labels: Mapping[str, int] = field(default_factory=dict)

    @property
    def latest(self) -> Servable | None:
        """The version that answers requests which name none."""
        return self.servables[max(self.servables)] if self.servables else None

    @property
    def plan(self) -> Plan:
        """What this is an instance of."""
        return Plan(tuple(sorted(self.servables)), self.labels)


class Model:
    """One model's versions in this worker.

    Only the lifecycle's thread calls ``look``; any thread reads ``serving`` and the rest.

    Attributes:
        serving: what answers now.
        status: what is known of each version.
        policy_problem: why the policy file is not followed; empty when it is.
        followed: the number of the last decision that was followed, as far as it could be.
        is_behind: whether the others follow a decision already that this worker cannot yet.
        is_gone: whether nothing of it is left, neither on disk nor in memory.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        board: Board,
        loader: Loader,
        metrics: Metrics,
        *,
        quiet_s: float,
        wake: Callable[[], None],
    ) -> None:
        """Prepare; the arguments are the lifecycle's own.

        Args:
            name: the model's name.
            store: where its versions appear.
            board: what the workers agree on.
            loader: makes servables.
            metrics: where swaps and live versions are counted.
            quiet_s: seconds that a version without a manifest must lie unchanged.
            wake: asks for a look at once; called from the threads that load.
        """
        self._name = name
        self._store = store
        self._board = board
        self._loader = loader
        self._metrics = metrics
        self._quiet_s = quiet_s
        self._wake = wake
        self.serving = Serving()
        self.status: dict[int, VersionStatus] = {}
        self.policy_problem = ""
        self.followed = 0
        self.is_behind = False
        self.is_gone = False
        self._policy = Policy()
        self._loads: dict[int, Loading] = {}
        # Versions that have proved themselves and wait for the other workers; those that serve;
        # and those that served, until their last requests have ended.
        self._staged: dict[int, Loaded] = {}
        self._live: dict[int, Loaded] = {}
        self._draining: list[tuple[int, Loaded]] = []
        self._ended: deque[tuple[int, Loaded]] = deque()
        self._has_freed = False
        self._decision: Decision | None = None
        self._joined = 0
        self._attempts: dict[int, tuple[int, float]] = {}
        # Which content the files had that were seen under a number; by their looks.
        self._replaced: dict[tuple[int, str], str] = {}
        # How the files of versions that serve looked when they were last found to have changed.
        self._changes: dict[int, str] = {}

    @property
    def unloaded(self) -> bool:
        return self._policy.unloaded

    def look(self) -> Outlook:
        """Bring what serves a step nearer to what the store and its policy ask for.

        Nothing is waited for here, but for the moment on which the workers have decided.

        Returns:
            What the next look waits for.
        """
        folders = self._store.versions(self._name)
        policy_changed = self._read_policy()
        self._tidy_up()
        self._end_loads(folders)
        self._note_changes(folders)
        outlook = self._advance(folders, policy_changed=policy_changed)
        self.is_gone = not (folders or self._live or self._draining or self._staged or self._loads)
        return outlook

    def close(self) -> None:
        """Give up what is under way; what serves goes on serving."""
        for version in tuple(self._loads):
            self._give_up(version)

    def _advance(self, folders: Mapping[int, Path], *, policy_changed: bool) -> Outlook:
        if self._joined != self._board.joined:
            self._restore()
        decision = self._board.decision(self._name)
        if decision and decision.number != self.followed:
            self.is_behind = self._follow(decision, folders)
            if self.is_behind:
                return Outlook.LOADING
        proposed = self._board.proposal(self._name)
        if proposed and (policy_changed or any(map(self._keeps_waiting, proposed.versions))):
            # Whoever changed the policy should not wait for what it asks for no more, nor
            # clients for a version that takes its time when there is another.
            alternative = self._wanted(folders)
            if alternative != proposed and (alternative.versions or self._policy.unloaded):
                self._board.withdraw(self._name, proposed)
                proposed = None
        wanted = proposed or self._wanted(folders)
        # That none is fit to serve is no reason to stop; that none should is.
        idle = wanted == self.serving.plan or not (wanted.versions or self._policy.unloaded)
        if proposed is None and idle:
            self._unstage(keep=())
            return Outlook.SETTLED
        if wanted.versions and not self._live and decision and decision.plan.versions:
            # What the others serve cannot be had any more; another version beats none.
            match self._hold(wanted.versions, folders):
                case _Readiness.NEVER:
                    self._board.withdraw(self._name, wanted)
                    return self._try_the_next(folders, wanted)
                case _Readiness.HELD if self._serve(wanted):
                    return Outlook.SETTLED
                case _:
                    return Outlook.LOADING
        agreed = self._board.propose(self._name, wanted, followed=self.followed)
        if agreed is None:
            return Outlook.IN_STEP
        match self._hold(agreed.versions, folders):
            case _Readiness.NEVER:
                self._board.withdraw(self._name, agreed)
                return self._try_the_next(folders, agreed)
            case _Readiness.LATER:
                return Outlook.LOADING
        held = self._held()
        contents = {version: held[version].content for version in agreed.versions}
        decided = self._board.vote(self._name, agreed, contents)
        if decided is None:
            self._unstage(keep=agreed.versions)
            return Outlook.IN_STEP
        return Outlook.LOADING if self._follow(decided, folders) else Outlook.SETTLED

    def _try_the_next(self, folders: Mapping[int, Path], failed: Plan) -> Outlook:
        """Say whether there is another plan to try, now that one cannot be had."""
        wanted = self._wanted(folders)
        if wanted in (failed, self.serving.plan) or not wanted.versions:
            return Outlook.SETTLED
        self._wake()
        return Outlook.LOADING

    def _wanted(self, folders: Mapping[int, Path]) -> Plan:
        """Return the best plan of those versions that are here and not known to be bad."""
        # A version that serves counts as there even when its folder has vanished.
        available = {*folders, *self._held()}
        refusals = self._board.refusals(self._name)
        contents = self._board.contents(self._name)
        while True:
            versions = self._policy.select(available)
            unfit = [
                version
                for version in versions
                if version not in self._held()
                and not self._is_under_way(version)
                and not (
                    version not in self._loads
                    and self._may_load(version, folders[version], refusals, contents)
                    and self._is_due(version)
                )
            ]
            if not unfit:
                break
            available.difference_update(unfit)
        labels = {k: v for k, v in self._policy.labels.items() if v in versions}
        return Plan(tuple(versions), labels)

    def _may_load(
        self,
        version: int,
        folder: Path,
        refusals: Mapping[int, Refusal],
        contents: Mapping[int, str],
    ) -> Arrival | None:
        """Return how the version's files look if they are worth an attempt."""
        arrival = look_at(folder)
        refusal = refusals.get(version)
        if refusal and refusal.digest == arrival.digest:
            self._tell(version, State.FAILED, refusal.reason)
            return None
        content = self._replaced.get((version, arrival.digest))
        if content and contents.get(version, content) != content:
            self._tell(version, State.FAILED, str(ReplacedError(version, content)))
            return None
        if not arrival.complete(self._quiet_s):
            self._tell(version, State.DISCOVERED, arrival.waiting_for)
            return None
        return arrival

    def _is_under_way(self, version: int) -> bool:
        return version in self._loads and not self._keeps_waiting(version)

    def _keeps_waiting(self, version: int) -> bool:
        """Whether clients get no answer at all because a version takes its time to load."""
        loading = self._loads.get(version)
        return bool(loading and not self._live and loading.seconds > _LONGEST_SILENCE_S)

    def _is_due(self, version: int) -> bool:
        return time.monotonic() >= self._attempts.get(version, (0, 0.0))[1]

    def _hold(self, versions: Iterable[int], folders: Mapping[int, Path]) -> _Readiness:
        """Load what is missing of ``versions``, one after the other; whether all are held."""
        for version in versions:
            if version in self._held():
                continue
            if version in self._loads:
                return _Readiness.LATER
            if version not in folders:
                return _Readiness.NEVER
            if not self._is_due(version):
                return _Readiness.LATER
            if not self._board.take_load_lock(self._name, version):
                return _Readiness.LATER
            # While this worker waited for its turn another may have found the version bad.
            refusals = self._board.refusals(self._name)
            contents = self._board.contents(self._name)
            arrival = self._may_load(version, folders[version], refusals, contents)
            if arrival is None:
                self._board.give_load_lock_back(self._name, version)
                return _Readiness.NEVER
            self._loads[version] = self._loader.begin(
                self._name,
                version,
                folders[version],
                arrival,
                contents=partial(self._board.contents, self._name),
                tell=partial(self._tell, version),
                on_end=self._wake,
            )
            return _Readiness.LATER
        return _Readiness.HELD

    def _end_loads(self, folders: Mapping[int, Path]) -> None:
        """Take what was loaded; give up what takes too long or has lost its files."""
        for version, loading in tuple(self._loads.items()):
            if loading.done:
                del self._loads[version]
                self._board.give_load_lock_back(self._name, version)
                self._take(version, loading)
            elif version not in folders:
                self._give_up(version)
                log(
                    logging.WARNING,
                    "A version's folder vanished while it was loaded.",
                    model=self._name,
                    version=version,
                )
            elif reason := loading.overdue():
                self._give_up(version)
                self._refuse(version, loading.arrival, LoadError(Fault.DEADLINE, reason))

    def _take(self, version: int, loading: Loading) -> None:
        try:
            loaded = loading.result()
        except BaseException as error:
            self._note_failure(version, loading.arrival, error)
            # A graph that failed half-way refers to itself.
            self._has_freed = True
            return
        self._staged[version] = loaded
        self._attempts.pop(version, None)
        self._tell(version, State.PROVED, "It waits for the other workers.")

    def _give_up(self, version: int) -> None:
        self._loader.give_up(self._loads.pop(version))
        self._board.give_load_lock_back(self._name, version)

    def _note_failure(self, version: int, arrival: Arrival, error: BaseException) -> None:
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
        attempts = self._attempts.get(version, (0, 0.0))[0]
        pause = min(_FIRST_RETRY_S * 2.0**attempts, _LAST_RETRY_S)
        self._attempts[version] = (attempts + 1, time.monotonic() + pause)
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
            model=self._name,
            version=version,
            reason=reason,
        )
        proposed = self._board.proposal(self._name)
        if proposed and version in proposed.versions:
            # By then there may be something better to prepare.
            self._board.withdraw(self._name, proposed)

    def _refuse(self, version: int, arrival: Arrival, error: BaseException) -> None:
        fault, reason = Fault.UNFORESEEN, "Loading it failed; the service's log tells more."
        if isinstance(error, LoadError):
            fault, reason = error.fault, str(error)
        self._pause(version)
        # As the files looked before the attempt: a change during it is worth another.
        self._board.refuse(self._name, version, Refusal(arrival.digest, reason))
        self._tell_refusal(version, fault, reason, error if fault is Fault.UNFORESEEN else None)

    def _tell_refusal(
        self, version: int, fault: Fault, reason: str, error: BaseException | None = None
    ) -> None:
        self._tell(version, State.FAILED, reason)
        self._metrics.swaps.labels(self._name, "refused").inc()
        self._metrics.last_refusal.labels(self._name, str(fault)).set_to_current_time()
        log(
            logging.ERROR,
            "A version was refused.",
            error=error,
            fault=str(fault),
            model=self._name,
            version=version,
            reason=reason,
        )

    def _follow(self, decision: Decision, folders: Mapping[int, Path]) -> bool:
        """Do what the workers have decided, at the moment on which they have decided.

        Returns:
            Whether it is yet to be done: versions are missing that can be loaded.
        """
        readiness = self._hold(decision.plan.versions, folders)
        if readiness is _Readiness.HELD and not self._serve(decision.plan, decision.at):
            return True
        if readiness is _Readiness.LATER and not self._loses_patience(decision.plan):
            return True
        if readiness is not _Readiness.HELD:
            log(
                logging.ERROR,
                "What the other workers serve cannot be loaded.",
                model=self._name,
                versions=decision.plan.versions,
            )
        self._decision = decision
        self.followed = decision.number
        return False

    def _loses_patience(self, plan: Plan) -> bool:
        return any(
            self._attempts.get(version, (0, 0.0))[0] >= _PATIENT_ATTEMPTS
            and version not in self._held()
            and version not in self._loads
            for version in plan.versions
        )

    def _serve(self, plan: Plan, at: float = 0.0) -> bool:
        """Let the versions of ``plan`` answer from the moment ``at`` on.

        Returns:
            Whether they do: not when other workers hold other contents under their numbers.
        """
        held = self._held()
        chosen = {version: held[version] for version in plan.versions}
        taken = self._claim(chosen)
        if taken:
            for version in taken:
                self._note_replaced(version, self._staged.pop(version))
            return False
        time.sleep(max(0.0, at - time.monotonic()))
        leaving = {v: each for v, each in self._live.items() if v not in chosen}
        self._draining += leaving.items()
        self._live = chosen
        for version in chosen:
            self._staged.pop(version, None)
        self.serving = Serving({v: each.servable for v, each in chosen.items()}, plan.labels)
        latest = self.serving.latest
        self._metrics.swaps.labels(self._name, "ok").inc()
        self._metrics.live_version.labels(self._name).set(latest.version if latest else 0)
        self._metrics.live_since.labels(self._name).set_to_current_time()
        for version in plan.versions:
            self._tell(version, State.AVAILABLE)
        log(
            logging.INFO,
            "Versions serve." if plan.versions else "No version serves any more.",
            model=self._name,
            versions=plan.versions,
            labels=dict(plan.labels),
        )
        for version, each in leaving.items():
            self._tell(version, State.DRAINING)
            self._retire(version, each)
        return True

    def _claim(self, chosen: Mapping[int, Loaded]) -> set[int]:
        """Claim the numbers of what answers; return those that others hold otherwise."""
        answering = [*self._draining, *self._live.items(), *chosen.items()]
        contents = {version: each.content for version, each in answering}
        return self._board.claim(self._name, contents, new=chosen.keys() - self._live.keys())

    def _restore(self) -> None:
        """Put back what this worker knows after the board was lost."""
        if self._decision:
            self._board.restore(self._name, self._decision)
        if self._live or self._draining:
            self._claim(self._live)
        self._joined = self._board.joined

    def _note_replaced(self, version: int, loaded: Loaded) -> None:
        """Drop what was loaded under a number that stands for another content."""
        self._retire(version, loaded)
        error = ReplacedError(version, loaded.content)
        self._note_failure(version, loaded.arrival, error)

    def _unstage(self, keep: Iterable[int]) -> None:
        """Drop what was loaded for a plan that was given up."""
        decision = self._board.decision(self._name)
        if decision and decision.number != self.followed:
            # It was not given up but decided, a moment ago; the next look follows it.
            return
        for version in self._staged.keys() - set(keep):
            self._retire(version, self._staged.pop(version))

    def _retire(self, version: int, loaded: Loaded) -> None:
        loaded.servable.retire(partial(self._note_end, version, loaded))

    def _note_end(self, version: int, loaded: Loaded) -> None:
        """Take note that a version was unloaded; on the thread of its last request."""
        self._ended.append((version, loaded))
        self._wake()

    def _tidy_up(self) -> None:
        """Clean up behind versions that were unloaded: here, where no client waits for it."""
        has_drained = False
        while self._ended:
            version, loaded = self._ended.popleft()
            self._has_freed = True
            if (version, loaded) in self._draining:
                self._draining.remove((version, loaded))
                has_drained = True
            state = self.status[version].state if version in self.status else None
            if state in (State.DRAINING, State.PROVED) and version not in self._held():
                self._tell(version, State.END)
            log(logging.INFO, "A version was retired.", model=self._name, version=version)
        if has_drained:
            self._claim(self._live)
        if self._has_freed:
            self._has_freed = False
            give_back()

    def _held(self) -> dict[int, Loaded]:
        return {**self._live, **self._staged}

    def _tell(self, version: int, state: State, reason: str = "") -> None:
        self.status[version] = VersionStatus(version, state, reason)

    def _note_changes(self, folders: Mapping[int, Path]) -> None:
        """Report versions that serve though their files are gone or changed; forget the others."""
        for version in tuple(self.status.keys() - folders.keys()):
            if version in self._live:
                self._remark(version, _VANISHED)
            elif version not in self._staged and version not in self._draining_versions():
                del self.status[version]
                self._attempts.pop(version, None)
        for version, live in self._live.items():
            if version in folders:
                self._remark(version, self._change(version, folders[version], live))
        for version, staged in tuple(self._staged.items()):
            if version in folders and look_at(folders[version]).digest != staged.arrival.digest:
                # Other workers would load something else.
                self._retire(version, self._staged.pop(version))

    def _change(self, version: int, folder: Path, live: Loaded) -> str:
        """Return what to say of a version's files; empty unless their content has changed."""
        digest = look_at(folder).digest
        if digest == live.arrival.digest:
            self._changes.pop(version, None)
            return ""
        if self._changes.get(version) != digest:
            self._changes[version] = digest
            # A manifest is cheap to read; the files of a foreign version may not be.
            with contextlib.suppress(RepositoryError, OSError):
                if has_manifest(folder) and content_digest(folder) == live.content:
                    self._live[version] = replace(live, arrival=look_at(folder))
                    return ""
        return _CHANGED

    def _remark(self, version: int, reason: str) -> None:
        if self.status[version].reason != reason:
            self._tell(version, State.AVAILABLE, reason)
            if reason:
                log(logging.WARNING, reason, model=self._name, version=version)

    def _draining_versions(self) -> set[int]:
        return {version for version, _ in self._draining}

    def _read_policy(self) -> bool:
        """Read the policy; whether it is another than before. A bad file changes nothing."""
        before = self._policy
        try:
            self._policy = read_policy(self._store.root / self._name)
            self.policy_problem = ""
        except RepositoryError as error:
            # The last good policy stays in force.
            if self.policy_problem != str(error):
                log(
                    logging.ERROR,
                    "The policy file is not followed.",
                    model=self._name,
                    reason=str(error),
                )
            self.policy_problem = str(error)
        return self._policy != before
