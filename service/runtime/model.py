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

from service.monitoring.logs import log
from service.monitoring.metrics import Metrics
from service.repository.errors import RepositoryError
from service.repository.manifest import content_digest, has_manifest
from service.repository.policy import Policy, read_policy
from service.repository.store import Store
from service.runtime.directory_snapshot import look_at
from service.runtime.load_attempts import Loads, Readiness
from service.runtime.loader import Loaded, Loader
from service.runtime.memory import give_back
from service.runtime.servable import Servable
from service.runtime.shared_observations import Sightings
from service.runtime.version_state import State, VersionStatus
from service.runtime.worker_group import Decision, Plan, WorkerGroup

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
        followed: the number of the last decision that was followed, as far as it could be.
        is_behind: whether the others follow a decision already that this worker cannot yet.
        is_gone: whether nothing of it is left, neither on disk nor in memory.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        board: WorkerGroup,
        loader: Loader,
        metrics: Metrics,
        *,
        quiet_s: float,
        sightings: Sightings,
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
            sightings: knows since when versions have lain unchanged.
            wake: asks for a look at once; called from the threads that load.
        """
        self._name = name
        self._store = store
        self._board = board
        self._metrics = metrics
        self._wake = wake
        self._loads = Loads(
            name,
            board,
            loader,
            metrics,
            quiet_s=quiet_s,
            sightings=sightings,
            policy=lambda: self._policy,
            wake=wake,
            tell=self._tell,
        )
        self.serving = Serving()
        self.status: dict[int, VersionStatus] = {}
        self._unread_policy = ""
        self.followed = 0
        self.is_behind = False
        self.is_gone = False
        self._policy = Policy()
        # Versions that have proved themselves and wait for the other workers; those that serve;
        # and those that served, until their last requests have ended.
        self._staged: dict[int, Loaded] = {}
        self._live: dict[int, Loaded] = {}
        self._draining: list[tuple[int, Loaded]] = []
        self._ended: deque[tuple[int, Loaded]] = deque()
        self._has_freed = False
        self._decision: Decision | None = None
        self._joined = 0
        # How the files of versions that serve looked when they were last found to have changed.
        self._changes: dict[int, str] = {}

    @property
    def policy(self) -> Policy:
        return self._policy

    @property
    def policy_problem(self) -> str:
        """Why the policy file is not followed, or what of it leads nowhere; else empty."""
        contracts = [servable.contract for servable in self.serving.servables.values()]
        if self._unread_policy or not contracts:
            return self._unread_policy
        known = {name for contract in contracts for name in (*contract, *contract.left_out)}
        return self._policy.signature_problem(known)

    @property
    def unloaded(self) -> bool:
        return self._policy.unloaded

    def look(self) -> Outlook:
        """Bring what serves a step nearer to what the store and its policy ask for.

        Nothing is waited for here, but for the moment on which the workers have decided.

        Returns:
            What the next look waits for.
        """
        try:
            folders = self._store.versions(self._name)
        except OSError:
            # The survey of the store names it. What serves goes on.
            return Outlook.SETTLED
        policy_changed = self._read_policy()
        self._tidy_up()
        self._staged |= self._loads.end(folders)
        self._note_changes(folders)
        outlook = self._advance(folders, policy_changed=policy_changed)
        self.is_gone = not (folders or self._live or self._draining or self._staged)
        return outlook

    def close(self) -> None:
        """Give up what is under way; what serves goes on serving."""
        self._loads.give_all_up()

    def _advance(self, folders: Mapping[int, Path], *, policy_changed: bool) -> Outlook:
        if self._joined != self._board.joined:
            self._restore()
        decision = self._board.decision(self._name)
        missed = decision if decision and decision.number != self.followed else None
        self.is_behind = missed is not None and self._follow(missed, folders)
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
                case Readiness.NEVER:
                    self._board.withdraw(self._name, wanted)
                    return self._try_the_next(folders, wanted)
                case Readiness.HELD if self._serve(wanted):
                    return Outlook.SETTLED
                case _:
                    return Outlook.LOADING
        agreed = self._board.propose(self._name, wanted, followed=self.followed)
        if agreed is None:
            return Outlook.IN_STEP
        match self._hold(agreed.versions, folders):
            case Readiness.NEVER:
                self._board.withdraw(self._name, agreed)
                return self._try_the_next(folders, agreed)
            case Readiness.LATER:
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
        considered: set[int] = set()
        while True:
            versions = self._policy.select(available)
            considered.update(versions)
            unfit = [
                version
                for version in versions
                if version not in self._held()
                and (
                    self._keeps_waiting(version)
                    or not self._loads.are_worth_it(version, folders[version], refusals, contents)
                )
            ]
            if not unfit:
                break
            available.difference_update(unfit)
        self._tell_of_the_rest(considered)
        labels = {k: v for k, v in self._policy.labels.items() if v in versions}
        return Plan(tuple(versions), labels)

    def _tell_of_the_rest(self, considered: set[int]) -> None:
        """Say of versions that waited once that the policy asks for others now."""
        for version in self.status.keys() - self._held().keys():
            told = self.status[version]
            is_unasked = told.state is State.END and bool(told.reason)
            if version in considered and is_unasked:
                self._tell(version, State.DISCOVERED)
            elif version not in considered and (is_unasked or told.state is State.DISCOVERED):
                self._tell(version, State.END, self._policy.asks_for)

    def _keeps_waiting(self, version: int) -> bool:
        """Whether clients get no answer at all because a version takes its time to load."""
        return not self._live and self._loads.seconds(version) > _LONGEST_SILENCE_S

    def _hold(self, versions: Iterable[int], folders: Mapping[int, Path]) -> Readiness:
        """Load what is missing of ``versions``, one after the other; whether all are held."""
        for version in versions:
            if version not in self._held():
                return self._loads.begin(version, folders.get(version))
        return Readiness.HELD

    def _follow(self, decision: Decision, folders: Mapping[int, Path]) -> bool:
        """Do what the workers have decided, at the moment on which they have decided.

        Returns:
            Whether it is yet to be done: versions are missing that can be loaded.
        """
        readiness = self._hold(decision.plan.versions, folders)
        if readiness is Readiness.HELD and not self._serve(decision.plan, decision.at):
            return True
        missing = set(decision.plan.versions) - self._held().keys()
        if readiness is Readiness.LATER and not any(map(self._loads.have_failed_often, missing)):
            return True
        if readiness is not Readiness.HELD:
            log(
                logging.ERROR,
                "What the other workers serve cannot be loaded.",
                model=self._name,
                versions=decision.plan.versions,
            )
        self._decision = decision
        self.followed = decision.number
        return False

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
                loaded = self._staged.pop(version)
                self._retire(version, loaded)
                self._loads.note_replaced(version, loaded)
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
                self._loads.forget(version)
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
            self._unread_policy = ""
            for loaded in self._held().values():
                loaded.servable.declare_rows(self._policy.rows_independent)
        except RepositoryError as error:
            # The last good policy stays in force.
            if self._unread_policy != str(error):
                log(
                    logging.ERROR,
                    "The policy file is not followed.",
                    model=self._name,
                    reason=str(error),
                )
            self._unread_policy = str(error)
        return self._policy != before
