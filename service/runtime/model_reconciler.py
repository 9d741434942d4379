"""One model in one worker: brings what serves in step with the store, its policy and the group."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Any

from service.monitoring.logs import log
from service.monitoring.model_metrics import ModelMetrics
from service.monitoring.prometheus_metrics import Metrics
from service.repository.errors import RepositoryError
from service.repository.model_policy import Policy
from service.repository.model_source import ModelSource
from service.runtime.changed_on_disk import LiveFiles
from service.runtime.directory_snapshot import take_snapshot
from service.runtime.folder_observations import FolderObservations
from service.runtime.load_attempts import LoadAttempts, Readiness
from service.runtime.loaded_versions import LoadedVersions
from service.runtime.loader import LoadedVersion, Loader
from service.runtime.memory import release_memory
from service.runtime.same_refusals import have_same_refusals
from service.runtime.servable import Servable
from service.runtime.serving_versions import ServingVersions
from service.runtime.traffic_split import TrafficSplit, Trial, split_of
from service.runtime.version_state import State, VersionStatus
from service.runtime.worker_agreement import Agreement, Decision, ServingPlan, WorkerGroup

# With nothing to serve, a version that loads for longer gives way to an older one meanwhile.
_LONGEST_SILENCE_S = 10.0


class Progress(Enum):
    """How far a model is from what the store and its policy ask for: what it waits for.

    Attributes:
        SETTLED: nothing.
        LOADING: versions that load, or for their turn to.
        IN_STEP: the other workers.
    """

    SETTLED = auto()
    LOADING = auto()
    IN_STEP = auto()


class ModelReconciler:
    """One model's versions in this worker.

    Only the lifecycle's thread calls ``reconcile``; any thread reads ``serving`` and the rest.

    Attributes:
        serving: what answers now.
        status: what is known of each version.
        followed: the number of the last decision that was followed, as far as it could be.
        is_behind: whether the others follow a decision already that this worker cannot yet, or
            may do so: set by the lifecycle until the next look.
        is_gone: whether nothing of it is left, neither on disk nor in memory.
    """

    def __init__(
        self,
        name: str,
        store: ModelSource,
        group: WorkerGroup,
        loader: Loader,
        metrics: Metrics,
        *,
        quiet_s: float,
        observations: FolderObservations,
        wake: Callable[[], None],
        show_policy: Callable[[Policy], None],
    ) -> None:
        """A model of which nothing is loaded yet.

        Args:
            name: the model's name.
            store: where its versions appear.
            group: what the workers agree on.
            loader: makes servables.
            metrics: where swaps and live versions are counted.
            quiet_s: seconds that a version without a manifest must stay unchanged.
            observations: knows since when versions have been unchanged.
            wake: asks for a look at once; called from the threads that load.
            show_policy: is called with the policy whenever it was read and is in force.
        """
        self._name = name
        self._store = store
        self._group = group
        self._shown = ModelMetrics(metrics, name)
        self._wake = wake
        self._show_policy = show_policy
        self._loads = LoadAttempts(
            name,
            group,
            loader,
            metrics,
            quiet_s=quiet_s,
            observations=observations,
            policy=lambda: self._policy,
            wake=wake,
            set_status=self._set_status,
        )
        self.serving = ServingVersions()
        self.status: dict[int, VersionStatus] = {}
        self._unread_policy = ""
        self.followed = 0
        self.is_behind = False
        self.is_gone = False
        self._policy = Policy()
        self._held = LoadedVersions(wake)
        self._live_files = LiveFiles()
        self._decision: Decision | None = None
        self._joined = 0

    @property
    def policy(self) -> Policy:
        return self._policy

    @property
    def policy_problem(self) -> str:
        """Why the policy file is not followed, or what of it has no effect; else empty."""
        contracts = [servable.contract for servable in self.serving.servables.values()]
        if self._unread_policy or not contracts:
            return self._unread_policy
        return self._policy.problem_with(contracts)

    @property
    def unloaded(self) -> bool:
        return self._policy.unloaded

    def reconcile(self) -> Progress:
        """Bring what serves a step nearer to what the store and its policy ask for.

        Nothing is waited for here, but for the moment on which the workers have decided.

        Returns:
            What the next look waits for.
        """
        try:
            folders = self._store.versions(self._name)
        except OSError:
            # The survey of the store names it. What serves goes on.
            return Progress.SETTLED
        policy_changed = self._read_policy()
        self._tidy_up()
        self._held.staged |= self._loads.end(folders)
        self._note_changes(folders)
        progress = self._advance(folders, policy_changed=policy_changed)
        held = self._held
        self.is_gone = not (folders or held.live or held.draining or held.staged)
        failed = {v for v, status in self.status.items() if status.state is State.FAILED}
        self._shown.show(self.serving.live, self._policy.select(folders), failed)
        return progress

    def close(self) -> None:
        """Give up what is under way; what serves goes on serving."""
        self._loads.give_all_up()

    def _advance(self, folders: Mapping[int, Path], *, policy_changed: bool) -> Progress:
        if self._joined != self._group.joined:
            self._restore()
        agreement = self._group.agreement(self._name)
        decision = agreement.decision
        missed = decision if decision and decision.number != self.followed else None
        self.is_behind = missed is not None and self._follow(missed, folders)
        if missed is not None:
            # The folders and the policy may be older than the decision: nothing is wanted by them.
            return Progress.LOADING if self.is_behind else Progress.IN_STEP
        proposed = agreement.proposal
        if proposed and (policy_changed or any(map(self._keeps_waiting, proposed.versions))):
            # A changed policy must not wait for versions that it selects no more, nor clients for
            # a version that loads slowly while another could serve.
            alternative = self._desired_plan(folders, agreement)
            if alternative != proposed and (alternative.versions or self._policy.unloaded):
                self._group.withdraw(self._name, proposed)
                proposed = None
        desired = proposed or self._desired_plan(folders, agreement)
        # That none is fit to serve is no reason to stop; that none should is.
        idle = desired == self.serving.plan or not (desired.versions or self._policy.unloaded)
        if proposed is None and idle:
            self._unstage(keep=())
            return Progress.SETTLED
        if desired.versions and not self._held.live and decision and decision.plan.versions:
            # What the others serve cannot be loaded any more; another version is better than none.
            match self._hold(desired.versions, folders):
                case Readiness.NEVER:
                    self._group.withdraw(self._name, desired)
                    return self._try_the_next(folders, desired)
                case Readiness.HELD if self._serve(desired):
                    return Progress.SETTLED
                case _:
                    return Progress.LOADING
        agreed = self._group.propose(self._name, desired, followed=self.followed)
        if agreed is None:
            return Progress.IN_STEP
        match self._hold(agreed.versions, folders):
            case Readiness.NEVER:
                self._group.withdraw(self._name, agreed)
                return self._try_the_next(folders, agreed)
            case Readiness.LATER:
                return Progress.LOADING
        held = self._held.all()
        contents = {version: held[version].content for version in agreed.versions}
        decided = self._group.vote(self._name, agreed, contents)
        if decided is None:
            self._unstage(keep=agreed.versions)
            return Progress.IN_STEP
        return Progress.LOADING if self._follow(decided, folders) else Progress.SETTLED

    def _try_the_next(self, folders: Mapping[int, Path], failed: ServingPlan) -> Progress:
        """Return whether another plan can be tried, after one could not be carried out."""
        desired = self._desired_plan(folders, self._group.agreement(self._name))
        if desired in (failed, self.serving.plan) or not desired.versions:
            return Progress.SETTLED
        self._wake()
        return Progress.LOADING

    def _desired_plan(self, folders: Mapping[int, Path], agreement: Agreement) -> ServingPlan:
        """Return the plan that the policy selects among versions that were not refused."""
        # A version that serves counts as there even when its folder has vanished.
        available = {*folders, *self._held.all()}
        considered: set[int] = set()
        is_worth_it = partial(self._is_worth_it, folders=folders, agreement=agreement)
        while True:
            versions = self._policy.select(available)
            considered.update(versions)
            unfit = [v for v in versions if v not in self._held and not is_worth_it(v)]
            if not unfit:
                break
            available.difference_update(unfit)
        self._update_unselected(considered)
        labels = {k: v for k, v in self._policy.labels.items() if v in versions}
        split = split_of(self._policy.rollout, tuple(versions))
        return ServingPlan(tuple(versions), labels, split)

    def _is_worth_it(
        self, version: int, *, folders: Mapping[int, Path], agreement: Agreement
    ) -> bool:
        """Whether a version that is not held should be loaded, or goes on being loaded."""
        return not self._keeps_waiting(version) and self._loads.are_worth_it(
            version, folders[version], agreement.refusals, agreement.contents()
        )

    def _update_unselected(self, considered: set[int]) -> None:
        """Update the state of unloaded versions: ``END`` unless the policy selects them."""
        for version in self.status.keys() - self._held.all().keys():
            status = self.status[version]
            is_unselected = status.state is State.END and bool(status.reason)
            if version in considered and is_unselected:
                self._set_status(version, State.DISCOVERED)
            elif version not in considered and (is_unselected or status.state is State.DISCOVERED):
                self._set_status(version, State.END, self._policy.selection_in_words)

    def _keeps_waiting(self, version: int) -> bool:
        """Whether clients get no answer at all because a version takes its time to load."""
        return not self._held.live and self._loads.seconds(version) > _LONGEST_SILENCE_S

    def _hold(self, versions: Iterable[int], folders: Mapping[int, Path]) -> Readiness:
        """Load what is missing of ``versions``, one after the other; whether all are held."""
        for version in versions:
            if version not in self._held:
                # The others may have found it after ``folders`` were listed.
                listed = folders if version in folders else self._store.versions(self._name)
                return self._loads.begin(version, listed.get(version))
        return Readiness.HELD

    def _follow(self, decision: Decision, folders: Mapping[int, Path]) -> bool:
        """Do what the workers have decided, at the moment on which they have decided.

        Returns:
            Whether it is yet to be done: versions are missing that can be loaded.
        """
        readiness = self._hold(decision.plan.versions, folders)
        if readiness is Readiness.HELD and not self._serve(decision.plan, decision.at):
            return True
        missing = {each for each in decision.plan.versions if each not in self._held}
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

    def _serve(self, plan: ServingPlan, at: float = 0.0) -> bool:
        """Let the versions of ``plan`` answer from the moment ``at`` on.

        Returns:
            Whether they do: not when other workers hold other contents under their numbers.
        """
        held = self._held.all()
        chosen = {version: held[version] for version in plan.versions}
        taken = self._claim(chosen)
        if taken:
            for version in taken:
                self._loads.note_replaced(version, self._held.unstage(version))
            return False
        time.sleep(max(0.0, at - time.monotonic()))
        leaving = self._held.serve(chosen)
        servables = {version: each.servable for version, each in chosen.items()}
        before = self.serving
        trial = None
        if plan.split is not None:
            alike = _refuse_alike(plan.split, servables)
            trial = Trial(self._name, plan.split, refuse_alike=alike)
        self.serving = ServingVersions(servables, plan.labels, trial)
        if self.serving.is_swap_from(before):
            self._shown.note_swap(self.serving.live)
        self._shown.show_serving(plan.versions)
        for version in plan.versions:
            self._set_status(version, State.AVAILABLE)
        split: dict[str, Any] = {"split": plan.split.to_json()} if plan.split else {}
        log(
            logging.INFO,
            "Versions serve." if plan.versions else "No version serves any more.",
            model=self._name,
            versions=plan.versions,
            labels=dict(plan.labels),
            **split,
        )
        for version, each in leaving.items():
            self._set_status(version, State.DRAINING)
            self._held.retire(version, each)
        return True

    def _claim(self, chosen: Mapping[int, LoadedVersion]) -> set[int]:
        """Claim the numbers of what answers; return those that others hold otherwise."""
        new = chosen.keys() - self._held.live.keys()
        return self._group.claim(self._name, self._held.contents(chosen), new=new)

    def _restore(self) -> None:
        """Put back what this worker knows after the shared folder was lost."""
        if self._decision:
            self._group.restore(self._name, self._decision)
        if self._held.live or self._held.draining:
            self._claim(self._held.live)
        self._joined = self._group.joined

    def _unstage(self, keep: Iterable[int]) -> None:
        """Drop what was loaded for a plan that was given up."""
        if not self._held.staged.keys() - set(keep):
            return
        decision = self._group.decision(self._name)
        if decision and decision.number != self.followed:
            # It was not given up but decided, a moment ago; the next look follows it.
            return
        self._held.unstage_all_but(set(keep))

    def _tidy_up(self) -> None:
        """Clean up behind versions that were unloaded: here, where no client waits for it."""
        unloaded, has_drained = self._held.take_unloaded()
        for version in unloaded:
            state = self.status[version].state if version in self.status else None
            if state in (State.DRAINING, State.PROVED) and version not in self._held:
                self._set_status(version, State.END)
            log(logging.INFO, "A version was retired.", model=self._name, version=version)
        if has_drained:
            self._claim(self._held.live)
        if unloaded:
            release_memory()

    def _set_status(self, version: int, state: State, reason: str = "") -> None:
        self.status[version] = VersionStatus(version, state, reason)

    def _note_changes(self, folders: Mapping[int, Path]) -> None:
        """Report versions that serve though their files are gone or changed; forget the others."""
        for version in tuple(self.status.keys() - folders.keys()):
            if version not in self._held and not self._held.is_draining(version):
                del self.status[version]
                self._loads.forget(version)
        for version, live in tuple(self._held.live.items()):
            reason, self._held.live[version] = self._live_files.compare(
                version, folders.get(version), live
            )
            self._remark(version, reason)
        for version, staged in tuple(self._held.staged.items()):
            if (
                version in folders
                and take_snapshot(folders[version]).files != staged.snapshot.files
            ):
                # Other workers would load something else.
                self._held.unstage(version)

    def _remark(self, version: int, reason: str) -> None:
        if self.status[version].reason != reason:
            self._set_status(version, State.AVAILABLE, reason)
            if reason:
                log(logging.WARNING, reason, model=self._name, version=version)

    def _read_policy(self) -> bool:
        """Read the policy; whether it is another than before. A bad file changes nothing."""
        before = self._policy
        try:
            self._policy = self._store.policy(self._name)
            self._unread_policy = ""
            for loaded in self._held.all().values():
                loaded.servable.declare_rows(self._policy.rows_independent)
            trial = self.serving.trial
            if trial is not None and self._policy.rows_independent != before.rows_independent:
                # By that the contracts may differ now, or not any more.
                trial.refuse_alike = _refuse_alike(trial.split, self.serving.servables)
            self._show_policy(self._policy)
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


def _refuse_alike(split: TrafficSplit, servables: Mapping[int, Servable]) -> bool:
    return have_same_refusals(servables[split.champion], servables[split.candidate])
