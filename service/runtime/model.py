"""One model in one worker: which of its versions are held, and which of them answer."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from service.logs import log
from service.metrics import Metrics
from service.repository.errors import RepositoryError
from service.repository.policy import Policy, read_policy
from service.repository.store import Store
from service.runtime.arrival import Arrival, look_at
from service.runtime.board import Board, Decision, Plan, Refusal
from service.runtime.loading import Loader
from service.runtime.memory import give_back
from service.runtime.servable import Fault, LoadError, Servable
from service.runtime.sightings import Sightings
from service.runtime.state import State, VersionStatus

# Between attempts at a version whose files keep changing: doubled from the first to the last.
_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 10.0


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
        unloaded: whether the policy says that nothing serves.
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
        sightings: Sightings,
    ) -> None:
        """Prepare; the arguments are the lifecycle's own."""
        self._name = name
        self._store = store
        self._board = board
        self._loader = loader
        self._metrics = metrics
        self._quiet_s = quiet_s
        self._sightings = sightings
        self.serving = Serving()
        self.status: dict[int, VersionStatus] = {}
        self.policy_problem = ""
        self._policy = Policy()
        # Versions that have proved themselves and wait for the other workers.
        self._staged: dict[int, Servable] = {}
        self._followed = 0
        self._has_freed = False
        self._attempts: dict[int, tuple[int, float]] = {}

    @property
    def policy(self) -> Policy:
        return self._policy

    @property
    def unloaded(self) -> bool:
        return self._policy.unloaded

    def look(self) -> bool:
        """Bring what serves a step nearer to what the store and its policy ask for.

        Returns:
            Whether other workers are waited for, so that another look is due soon.
        """
        if self._has_freed:
            # Here and not where the last request ended: no client should wait for it.
            self._has_freed = False
            give_back()
        try:
            folders = self._store.versions(self._name)
        except OSError:
            # The survey of the store names it. What serves goes on.
            return False
        self._read_policy()
        self._note_vanished(folders)
        decision = self._board.decision(self._name)
        if decision and decision.number != self._followed:
            self._follow(decision, folders)
        proposed = self._board.proposal(self._name)
        wanted = proposed or self._wanted(folders)
        # That none is fit to serve is no reason to stop; that none should is.
        idle = wanted == self.serving.plan or not (wanted.versions or self._policy.unloaded)
        if proposed is None and idle:
            self._unstage(keep=())
            return False
        if not self.serving.servables and decision and decision.plan.versions:
            # What the others serve cannot be had any more; another version beats none.
            if self._hold(wanted.versions, folders):
                self._serve(wanted)
            return False
        agreed = self._board.propose(self._name, wanted, followed=self._followed)
        if agreed is None:
            return True
        wanted = agreed
        if not self._hold(wanted.versions, folders):
            self._board.withdraw(self._name, wanted)
            return False
        decided = self._board.vote(self._name, wanted)
        if decided is None:
            self._unstage(keep=wanted.versions)
            return True
        self._follow(decided, folders)
        return False

    def _wanted(self, folders: Mapping[int, Path]) -> Plan:
        """Return the best plan of those versions that are here and not known to be bad."""
        # A version that serves counts as there even when its folder has vanished.
        available = {*folders, *self._held()}
        refusals = self._board.refusals(self._name)
        while True:
            versions = self._policy.select(available)
            unfit = [
                version
                for version in versions
                if version not in self._held()
                and not self._may_load(version, folders[version], refusals)
            ]
            if not unfit:
                break
            available.difference_update(unfit)
        labels = {k: v for k, v in self._policy.labels.items() if v in versions}
        return Plan(tuple(versions), labels)

    def _may_load(
        self, version: int, folder: Path, refusals: Mapping[int, Refusal]
    ) -> Arrival | None:
        """Return how the version's files look if they are worth an attempt."""
        arrival = look_at(folder)
        refusal = refusals.get(version)
        if refusal and refusal.digest == self._looks(arrival):
            self._tell(version, State.FAILED, refusal.reason)
            return None
        if arrival.needs_quiet:
            unchanged_s = self._sightings.unchanged_for(self._name, version, arrival)
        else:
            unchanged_s = 0.0
        if not arrival.complete(unchanged_s, self._quiet_s):
            self._tell(version, State.DISCOVERED, arrival.waiting_for)
            return None
        _, next_attempt = self._attempts.get(version, (0, 0.0))
        return arrival if time.monotonic() >= next_attempt else None

    def _looks(self, arrival: Arrival) -> str:
        """Return what a refusal holds for: these files, under what the policy allows them."""
        return "+".join([arrival.digest, *self._policy.allow_operations])

    def _hold(self, versions: Iterable[int], folders: Mapping[int, Path]) -> bool:
        """Load what is missing of ``versions``; whether all are held then."""
        for version in versions:
            if version in self._held():
                continue
            if version not in folders:
                return False
            # While this worker waited for its turn another may have found the version bad.
            with self._board.turn():
                refusals = self._board.refusals(self._name)
                arrival = self._may_load(version, folders[version], refusals)
                if arrival is None or not self._load(version, folders[version], arrival):
                    return False
        return True

    def _load(self, version: int, folder: Path, arrival: Arrival) -> bool:
        try:
            servable = self._loader.load(
                self._name,
                version,
                folder,
                partial(self._tell, version),
                self._policy.rows_independent,
            )
        except Exception as error:
            self._refuse(version, arrival, error)
            return False
        self._staged[version] = servable
        self._attempts.pop(version, None)
        self._tell(version, State.PROVED, "It waits for the other workers.")
        return True

    def _refuse(self, version: int, arrival: Arrival, error: Exception) -> None:
        fault, reason = Fault.UNFORESEEN, "Loading it failed; the service's log tells more."
        if isinstance(error, LoadError):
            fault, reason = error.fault, str(error)
        attempts = self._attempts.get(version, (0, 0.0))[0]
        pause = min(_FIRST_RETRY_S * 2**attempts, _LAST_RETRY_S)
        self._attempts[version] = (attempts + 1, time.monotonic() + pause)
        # As the files looked before the attempt: a change during it is worth another.
        self._board.refuse(self._name, version, Refusal(self._looks(arrival), reason))
        self._tell(version, State.FAILED, reason)
        self._metrics.swaps.labels(self._name, "refused").inc()
        self._metrics.last_refusal.labels(self._name, str(fault)).set_to_current_time()
        log(
            logging.ERROR,
            "A version was refused.",
            error=error if fault is Fault.UNFORESEEN else None,
            fault=str(fault),
            model=self._name,
            version=version,
            reason=reason,
        )

    def _follow(self, decision: Decision, folders: Mapping[int, Path]) -> None:
        """Do what the workers have decided, at the moment on which they have decided."""
        self._followed = decision.number
        if not self._hold(decision.plan.versions, folders):
            log(
                logging.ERROR,
                "What the other workers serve cannot be loaded.",
                model=self._name,
                versions=decision.plan.versions,
            )
            return
        time.sleep(max(0.0, decision.at - time.monotonic()))
        self._serve(decision.plan)

    def _serve(self, plan: Plan) -> None:
        held = self._held()
        old = self.serving
        self.serving = Serving({v: held[v] for v in plan.versions}, plan.labels)
        latest = self.serving.latest
        self._metrics.swaps.labels(self._name, "ok").inc()
        self._metrics.live_version.labels(self._name).set(latest.version if latest else 0)
        self._metrics.live_since.labels(self._name).set_to_current_time()
        for version in plan.versions:
            self._staged.pop(version, None)
            self._tell(version, State.AVAILABLE)
        log(
            logging.INFO,
            "Versions serve." if plan.versions else "No version serves any more.",
            model=self._name,
            versions=plan.versions,
            labels=dict(plan.labels),
        )
        for version, servable in old.servables.items():
            if version not in plan.versions:
                self._tell(version, State.DRAINING)
                servable.retire(partial(self._note_end, version))

    def _unstage(self, keep: Iterable[int]) -> None:
        """Drop what was loaded for a plan that was given up."""
        decision = self._board.decision(self._name)
        if decision and decision.number != self._followed:
            # It was not given up but decided, a moment ago; the next look follows it.
            return
        for version in self._staged.keys() - set(keep):
            self._staged.pop(version).retire(partial(self._note_end, version))

    def _note_end(self, version: int) -> None:
        self._has_freed = True
        self._tell(version, State.END)
        log(logging.INFO, "A version was retired.", model=self._name, version=version)

    def _held(self) -> dict[int, Servable]:
        return {**self.serving.servables, **self._staged}

    def _tell(self, version: int, state: State, reason: str = "") -> None:
        self.status[version] = VersionStatus(version, state, reason)

    def _note_vanished(self, folders: Mapping[int, Path]) -> None:
        """Report versions that serve though their folders are gone; forget the others."""
        for version in self.status.keys() - folders.keys():
            state = self.status[version].state
            if version in self.serving.servables:
                reason = "Its folder has vanished; it goes on serving from memory."
                if self.status[version].reason != reason:
                    self._tell(version, state, reason)
                    log(logging.WARNING, reason, model=self._name, version=version)
            elif version not in self._staged and state is not State.DRAINING:
                del self.status[version]
                self._attempts.pop(version, None)

    def _read_policy(self) -> None:
        try:
            self._policy = read_policy(self._store.root / self._name)
            self.policy_problem = ""
            for servable in self._held().values():
                servable.declare_rows(self._policy.rows_independent)
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
