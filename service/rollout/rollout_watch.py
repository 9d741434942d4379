"""Follows the rollouts of all models in one worker: counts, shadow, and, in one worker, control."""

import contextlib
import fcntl
import logging
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path

from prometheus_client import Counter

from service.errors import NotFoundError, ServiceError
from service.events.errors import StoreError
from service.events.event_log import EventLog
from service.events.row_loss import RowLoss, row_loss
from service.monitoring.logs import log
from service.monitoring.prometheus_metrics import Metrics
from service.repository.errors import RepositoryError
from service.repository.model_source import ModelSource
from service.repository.policy import read_policy
from service.repository.rollout_policy import RolloutRules, Stage
from service.rollout.controller import ROLLED_BACK, RolloutController
from service.rollout.deciding_replica import DecidingReplica
from service.rollout.second_answerer import SecondAnswerer
from service.rollout.shadow import Shadow, ShadowCounts
from service.rollout.shared_rollouts import SharedRollouts
from service.rollout.truth_reader import TruthReader
from service.rollout.worker_counts import Counts, FolderCounts, OwnCounts
from service.runtime.lifecycle import Lifecycle
from service.runtime.traffic_split import TrafficSplit, Trial
from service.runtime.version_state import State

LOCK = ".rollout.lock"
_LOOK_S = 1.0
_STOP_S = 2.0


class RolloutWatch:
    """A thread that follows rollouts; without one it looks at each model's trial and rests."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        store: ModelSource,
        metrics: Metrics,
        shared_folder: Callable[[], Path],
        is_idle: Callable[[], bool],
        *,
        timeout_s: float,
        look_s: float = _LOOK_S,
        shared: SharedRollouts | None = None,
        events: EventLog | None = None,
    ) -> None:
        """A watch that has not been started.

        Args:
            lifecycle: the worker's models.
            store: where policies and records are.
            metrics: where decisions are counted.
            shared_folder: returns the folder that the workers share.
            is_idle: whether this worker answers nothing now.
            timeout_s: the longest that an answer may take.
            look_s: seconds between looks.
            shared: what this replica shares with others; ``None`` where each decides for itself.
            events: stores requests and truths; ``None`` where that is off.
        """
        self._lifecycle = lifecycle
        self._store = store
        self._metrics = metrics
        self._shared_folder = shared_folder
        self._is_idle = is_idle
        self._timeout_s = timeout_s
        self._look_s = look_s
        self._shared = shared
        self._counts: Counts = FolderCounts(shared_folder) if shared is None else shared.counts
        self._events = events
        self._followed: dict[str, _Followed] = {}
        # The models that this process controls, and its locks on them.
        self._locks: dict[str, int] = {}
        self._controllers: dict[str, RolloutController] = {}
        # Of those, which replica decides.
        self._deciders: dict[str, DecidingReplica] = {}
        self._problems: dict[str, str] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to follow, in a thread of this process."""
        self._thread = threading.Thread(target=self._run, name="rollouts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Follow no more; another worker takes over what this one controls."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)
        for model in tuple(self._followed):
            self._leave(model)
        for model in tuple(self._locks):
            self._give_up(model)

    def _run(self) -> None:
        while not self._stop.wait(self._look_s):
            try:
                self.look()
            except Exception as error:
                # The next look may succeed; a thread that ended would leave all rollouts as they
                # are, and nobody would know.
                log(logging.ERROR, "Following rollouts failed.", error=error)

    def look(self) -> None:
        """Look at all models once."""
        models = self._lifecycle.models()
        for gone in self._locks.keys() - set(models):
            self._give_up(gone)
        for model in models:
            try:
                self._follow(model, self._lifecycle.trial(model))
                self._control(model)
                self._problems.pop(model, None)
            except NotFoundError:
                continue  # It has vanished in this moment.
            except (OSError, RepositoryError, ServiceError, StoreError) as error:
                self._say(model, error)
            except Exception as error:
                # The next look may succeed; nothing is promoted meanwhile.
                log(logging.ERROR, "Following a rollout failed.", error=error, model=model)

    def _say(self, model: str, error: Exception) -> None:
        reason = str(error)
        if self._problems.get(model) != reason:
            self._problems[model] = reason
            log(logging.ERROR, "A rollout cannot go on.", model=model, reason=reason)

    def _follow(self, model: str, trial: Trial | None) -> None:
        """Write what this worker has counted; see to the shadow."""
        followed = self._followed.get(model)
        if followed is not None and followed.trial is not trial:
            self._leave(model)
            followed = None
        if trial is None:
            return
        if followed is None:
            followed = self._followed[model] = self._begin(model, trial)
        followed.write()

    def _begin(self, model: str, trial: Trial) -> "_Followed":
        split, shadow, answerer = trial.split, None, None
        rollout = self._lifecycle.policy(model).rollout
        if rollout is not None:
            answerer = self._new_answerer(model, split, rollout.rules)
        if split.stage is Stage.SHADOW and rollout is not None:
            # One at a time, so that what the versions take compares.
            busy = answerer
            shadow = Shadow(
                (split.champion, split.candidate),
                rollout.rules,
                lambda version: self._lifecycle.acquire(model, version),
                lambda: self._is_idle() and not (busy is not None and busy.is_running),
                stuck_after_s=self._timeout_s,
            )
            with self._lifecycle.lease(model, split.champion) as champion:
                champion.feed.observer = shadow.observe
        if answerer is not None and self._events is not None:
            self._events.observers[model] = answerer.observe
        self._metrics.rollout_percent.labels(model).set(split.percent)
        counts = self._counts.of_this_worker(model, split)
        return _Followed(trial, counts, shadow, answerer)

    def _new_answerer(
        self, model: str, split: TrafficSplit, rules: RolloutRules
    ) -> SecondAnswerer | None:
        events, counted = self._events, self._metrics.second_answers
        if events is None or (rules.quality_margin >= 1 and not rules.min_truths):
            return None
        return SecondAnswerer(
            split,
            rules.shadow_share,
            lambda version: self._lifecycle.acquire(model, version),
            self._is_idle,
            events.writer.put,
            lambda result: counted.labels(model, result).inc(),
            stuck_after_s=self._timeout_s,
        )

    def _leave(self, model: str) -> None:
        followed = self._followed.pop(model)
        with contextlib.suppress(OSError, StoreError):
            followed.write(is_last=True)
        if followed.answerer is not None and self._events is not None:
            self._events.observers.pop(model, None)
            followed.answerer.stop()
        if followed.shadow is not None:
            followed.shadow.stop()
            split = followed.trial.split
            with (
                contextlib.suppress(ServiceError),
                self._lifecycle.lease(model, split.champion) as champion,
            ):
                champion.feed.observer = None
        self._metrics.rollout_percent.labels(model).set(math.nan)

    def _control(self, model: str) -> None:
        """Decide on a model's rollout, unless another process or another replica does."""
        is_under_way = self._lifecycle.policy(model).rollout is not None
        if model not in self._locks and not (is_under_way and self._lock(model)):
            return
        controller = self._controllers.get(model)
        if controller is None:
            controller = self._controllers[model] = self._new_controller(model)
        decider = self._deciders.get(model)
        if decider is not None and not decider.is_due():
            return
        try:
            if decider is None or self._decides(model, decider):
                goes_on = controller.step()
            else:
                goes_on = controller.follow()
        finally:
            self._show(model, controller)
        if not goes_on:
            self._give_up(model)

    def _decides(self, model: str, decider: DecidingReplica) -> bool:
        """Whether this replica decides; it tidies up when it begins to."""
        decided = decider.decides
        if not decider.look():
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

    def _lock(self, model: str) -> bool:
        """Become the one that controls a model's rollout; the kernel frees it when it dies."""
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


class _Followed:
    """A step of a rollout in this worker."""

    def __init__(
        self,
        trial: Trial,
        counts: OwnCounts,
        shadow: Shadow | None,
        answerer: SecondAnswerer | None,
    ) -> None:
        self.trial = trial
        self.shadow = shadow
        self.answerer = answerer
        self._counts = counts

    def write(self, *, is_last: bool = False) -> None:
        """Write what was counted; ``is_last`` if nothing more will be."""
        shadow = ShadowCounts() if self.shadow is None else self.shadow.counts()
        if self.answerer is not None and self.answerer.is_candidate_stuck:
            shadow += ShadowCounts(stuck=1)
        self._counts.write(self.trial.counts.to_json(), shadow, is_last=is_last)
