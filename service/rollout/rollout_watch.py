"""Looks after the rollouts of all models in one worker: its part in each, and their control."""

import contextlib
import logging
import math
import threading
from collections.abc import Callable
from pathlib import Path

from service.errors import NotFoundError, ServiceError
from service.events.errors import StoreError
from service.events.event_log import EventLog
from service.monitoring.logs import log
from service.monitoring.prometheus_metrics import Metrics
from service.repository.errors import RepositoryError
from service.repository.model_source import ModelSource
from service.rollout.controlling_process import ControllingProcess
from service.rollout.idle_budget import IdleBudget
from service.rollout.shared_rollouts import SharedRollouts
from service.rollout.worker_counts import Counts, FolderCounts
from service.rollout.worker_step import WorkerStep
from service.runtime.lifecycle import Lifecycle
from service.runtime.traffic_split import Trial

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
        cores: int,
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
            cores: how many this worker may use.
            look_s: seconds between looks.
            shared: what this replica shares with others; ``None`` where each decides for itself.
            events: stores requests and truths; ``None`` where that is off.
        """
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._is_idle = is_idle
        self._budget = IdleBudget(cores)
        self._timeout_s = timeout_s
        self._look_s = look_s
        self._counts: Counts = FolderCounts(shared_folder) if shared is None else shared.counts
        self._events = events
        self._followed: dict[str, WorkerStep] = {}
        self._control = ControllingProcess(
            lifecycle, store, metrics, self._counts, shared_folder, shared, events
        )
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
        self._control.stop()

    def _run(self) -> None:
        while not self._stop.wait(self._look_s):
            try:
                self.check_models()
            except Exception as error:
                # The next look may succeed; a thread that ended would leave all rollouts as they
                # are, and nobody would know.
                log(logging.ERROR, "Following rollouts failed.", error=error)

    def check_models(self) -> None:
        """Check the rollouts of all models once."""
        models = self._lifecycle.models()
        self._control.forget_others(models)
        for model in models:
            try:
                self._follow(model, self._lifecycle.trial(model))
                looked = self._control.decide(model)
                if looked and self._problems.pop(model, None) is not None:
                    # Where there is a rollout still, who decides on it says at its next look
                    # whether it is held.
                    self._metrics.rollout_held.labels(model).set(0)
            except NotFoundError:
                continue  # It has vanished in this moment.
            except (OSError, RepositoryError, ServiceError, StoreError) as error:
                self._say(model, error)
            except Exception as error:
                # The next look may succeed; nothing is promoted meanwhile.
                log(logging.ERROR, "Following a rollout failed.", error=error, model=model)

    def problem(self, model: str) -> str:
        """Return why this worker can neither decide on a rollout nor look on; empty if it can."""
        return self._problems.get(model, "")

    def _say(self, model: str, error: Exception) -> None:
        self._metrics.rollout_held.labels(model).set(1)
        reason = str(error)
        if isinstance(error, OSError) and error.filename is not None:
            reason = f"{error.filename} cannot be written: {error.strerror}."
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
            followed = self._followed[model] = WorkerStep(
                model,
                trial,
                self._counts.of_this_worker(model, trial.split),
                self._lifecycle,
                self._metrics,
                self._events,
                self._is_idle,
                self._budget,
                timeout_s=self._timeout_s,
            )
            self._metrics.rollout_percent.labels(model).set(trial.split.percent)
        followed.write()

    def _leave(self, model: str) -> None:
        followed = self._followed.pop(model)
        with contextlib.suppress(OSError, StoreError):
            followed.write(is_last=True)
        followed.leave()
        self._metrics.rollout_percent.labels(model).set(math.nan)
