"""Control of rollouts in the one process of a machine, and of the one replica, that decides."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Collection
from pathlib import Path

from prometheus_client import Counter

from service.events.errors import StoreError
from service.events.event_log import EventLog
from service.events.row_loss import RowLoss, row_loss
from service.monitoring.prometheus_metrics import Metrics
from service.repository.errors import RepositoryError
from service.repository.model_policy import read_policy
from service.repository.model_source import ModelSource
from service.rollout.deciding_replica import DecidingReplica
from service.rollout.rollout_controller import RolloutController
from service.rollout.rollout_record import ROLLED_BACK, read_rollout_record
from service.rollout.shared_rollouts import SharedRollouts
from service.rollout.truth_reader import TruthReader
from service.rollout.worker_counts import Counts
from service.runtime.lifecycle import Lifecycle
from service.runtime.version_state import State

LOCK = ".rollout.lock"


class ControllingProcess:
    """The controllers of the models whose locks this process holds."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        store: ModelSource,
        metrics: Metrics,
        counts: Counts,
        shared_folder: Callable[[], Path],
        shared: SharedRollouts | None,
        events: EventLog | None,
    ) -> None:
        """A process that controls nothing yet.

        Args:
            lifecycle: the worker's models.
            store: where policies and records are.
            metrics: where decisions are counted.
            counts: what the workers have counted.
            shared_folder: returns the folder that the workers share.
            shared: what this replica shares with others; ``None`` where each decides for itself.
            events: stores truths; ``None`` where that is off.
        """
        self._lifecycle = lifecycle
        self._store = store
        self._metrics = metrics
        self._counts = counts
        self._shared_folder = shared_folder
        self._shared = shared
        self._events = events
        # Of the models that this process controls.
        self._locks: dict[str, int] = {}
        # Of others, those whose records do not say that a rollout is under way.
        self._settled: set[str] = set()
        self._controllers: dict[str, RolloutController] = {}
        # Of those, which replica decides.
        self._deciders: dict[str, DecidingReplica] = {}

    def forget_others(self, models: Collection[str]) -> None:
        """Give up what is controlled of all models but these."""
        for gone in self._locks.keys() - set(models):
            self._give_up(gone)
        self._settled.intersection_update(models)

    def stop(self) -> None:
        """Control nothing any more; another process takes over."""
        self.forget_others(())

    def decide(self, model: str) -> bool:
        """Decide on a model's rollout, unless another process or another replica does.

        Returns:
            Whether this was a look; replicas that share rollouts look every other second.

        Raises:
            OSError: the model's folder cannot be written.
            RepositoryError: its policy cannot be read or changed.
            ServiceError: the model has vanished.
            StoreError: the database that replicas share cannot be used.
        """
        if model in self._locks and not self._is_in_place(model):
            self._give_up(model)
        if model not in self._locks and not (self._is_open(model) and self.lock(model)):
            return True
        controller = self._controllers.get(model)
        if controller is None:
            controller = self._controllers[model] = self._new_controller(model)
        decider = self._deciders.get(model)
        if decider is not None and not decider.is_due():
            return False
        try:
            if decider is None or self._decides(model, decider):
                goes_on = controller.step()
            else:
                goes_on = controller.follow()
        finally:
            self._show(model, controller)
        if not goes_on:
            self._give_up(model)
        return True

    def _is_open(self, model: str) -> bool:
        """Whether a rollout is under way, or was when somebody ended it and nobody saw that."""
        if self._lifecycle.policy(model).rollout is not None:
            self._settled.discard(model)
            return True
        if model in self._settled:
            return False
        try:
            folder = self._store.policy_folder(model)
            record = read_rollout_record(folder)
        except RepositoryError:
            record = None
        # What cannot be written stays as it is: nothing depends on it any more.
        if record is not None and not record.outcome and os.access(folder, os.W_OK):
            return True
        self._settled.add(model)
        return False

    def _decides(self, model: str, decider: DecidingReplica) -> bool:
        """Whether this replica decides; it tidies up when it begins to."""
        decided = decider.decides
        if not decider.claim():
            return False
        if not decided:
            rollout = read_policy(self._store.policy_folder(model)).rollout
            self._counts.forget(model, "" if rollout is None else rollout.id)
        return True

    def _new_controller(self, model: str) -> RolloutController:
        def refusal(version: int) -> str:
            for status in self._lifecycle.status(model):
                if status.version == version and status.state is State.FAILED:
                    return status.reason
            return ""

        def counted(decision: str) -> Counter:
            return self._metrics.rollout_decisions.labels(model, decision.replace(" ", "_"))

        def note(decision: str) -> None:
            counted(decision).inc()

        # Prometheus sees no increase in a series that begins with its first count.
        counted(ROLLED_BACK)
        folder, run = self._store.policy_folder(model), str(self._shared_folder())
        records: DecidingReplica | None = None
        if self._shared is not None:
            records = self._deciders[model] = self._shared.decider(model, folder)
            # They outlive all replicas.
            run = "shared"

        def loss_of(version: int) -> RowLoss | None:
            with self._lifecycle.lease(model, version) as servable:
                return row_loss(servable.contract, servable.card)

        reader = None
        if self._events is not None:
            reader = TruthReader(self._events.store, model, loss_of)
        return RolloutController(
            model,
            folder,
            lambda split: self._counts.read(model, split),
            run=run,
            versions=lambda: set(self._store.versions(model)),
            refusal=refusal,
            note=note,
            records=records,
            read_quality=None if reader is None else reader.latest,
        )

    def _show(self, model: str, controller: RolloutController) -> None:
        record, verdict = controller.record, controller.verdict
        held = record is not None and record.held and not record.outcome
        self._metrics.rollout_held.labels(model).set(held)
        if verdict is not None:
            for guard, value in verdict.numbers["log10_evidence_of_harm"].items():
                self._metrics.rollout_evidence.labels(model, guard).set(value)
        quality = record.quality if record is not None else None
        if quality is not None:
            self._metrics.rollout_truths.labels(model).set(quality.truths)
            for name in ("champion", "candidate", "difference_at_most"):
                self._metrics.rollout_loss.labels(model, name).set(getattr(quality, name))

    def lock(self, model: str) -> bool:
        """Become the one process that controls a model's rollout; whether that was possible.

        The kernel frees the lock when the process dies.
        """
        handle = os.open(
            self._store.policy_folder(model) / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666
        )
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except OSError:
            os.close(handle)
            raise
        self._locks[model] = handle
        if self._shared is None:
            self._counts.forget(model, self._id(model))
        return True

    def _is_in_place(self, model: str) -> bool:
        """Whether the lock that is held is the file that others find.

        Who puts another folder of models in place, or removes what it does not know, leaves a lock
        that excludes nobody.
        """
        held = os.fstat(self._locks[model])
        try:
            return os.path.samestat(held, (self._store.policy_folder(model) / LOCK).stat())
        except FileNotFoundError:
            return False

    def _id(self, model: str) -> str:
        rollout = self._lifecycle.policy(model).rollout
        return "" if rollout is None else rollout.id

    def _give_up(self, model: str) -> None:
        os.close(self._locks.pop(model))
        self._controllers.pop(model, None)
        decider = self._deciders.pop(model, None)
        if decider is not None:
            # Else another one notices after a while.
            with contextlib.suppress(StoreError):
                decider.give_up()
