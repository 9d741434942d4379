"""One step of a rollout as one worker takes part in it: its counts, its shadow, second answers."""

import contextlib
from collections.abc import Callable

from service.errors import ServiceError
from service.events.event_log import EventLog
from service.monitoring.prometheus_metrics import Metrics
from service.repository.rollout_policy import RolloutRules, Stage
from service.rollout.idle_budget import IdleBudget
from service.rollout.second_answerer import SecondAnswerer
from service.rollout.shadow import Shadow, ShadowCounts
from service.rollout.worker_counts import OwnCounts
from service.runtime.lifecycle import Lifecycle
from service.runtime.servable import Servable
from service.runtime.traffic_split import TrafficSplit, Trial


class WorkerStep:
    """A step that a worker follows, from its making to ``leave``.

    Attributes:
        trial: how the worker splits requests, and what it has counted.
    """

    def __init__(
        self,
        model: str,
        trial: Trial,
        counts: OwnCounts,
        lifecycle: Lifecycle,
        metrics: Metrics,
        events: EventLog | None,
        is_idle: Callable[[], bool],
        budget: IdleBudget,
        *,
        timeout_s: float,
    ) -> None:
        """A step that is followed from now on.

        Args:
            model: the model's name.
            trial: how the worker splits its requests.
            counts: where its counts are written.
            lifecycle: the worker's models.
            metrics: where second answers are counted.
            events: stores requests; ``None`` where that is off.
            is_idle: whether the worker answers nothing now.
            budget: of the worker's idle time, which all steps share.
            timeout_s: the longest that an answer may take.

        Raises:
            NotFoundError: the model has vanished.
            ServiceError: its champion does not serve.
        """
        self.trial = trial
        self._model = model
        self._counts = counts
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._events = events
        self._is_idle = is_idle
        self._budget = budget
        self._timeout_s = timeout_s
        self._shadow: Shadow | None = None
        self._answerer: SecondAnswerer | None = None
        rollout = lifecycle.policy(model).rollout
        if rollout is not None:
            if _has_shadow(trial.split.stage, rollout.rules):
                self._begin_shadow(trial.split, rollout.rules)
            self._answer_again(trial.split, rollout.rules)

    def write(self, *, is_last: bool = False) -> None:
        """Write what was counted; ``is_last`` if nothing more will be.

        Raises:
            OSError: the workers' folder cannot be written.
            StoreError: nor can the database, where counts are there.
        """
        shadow = ShadowCounts() if self._shadow is None else self._shadow.counts()
        if self._answerer is not None and self._answerer.is_candidate_stuck:
            shadow += ShadowCounts(stuck=1)
        self._counts.write(self.trial.counts.to_json(), shadow, is_last=is_last)

    def leave(self) -> None:
        """Let shadow and second answers end."""
        if self._answerer is not None and self._events is not None:
            self._events.observers.pop(self._model, None)
            self._answerer.stop()
        if self._shadow is not None:
            self._shadow.stop()
            with (
                contextlib.suppress(ServiceError),
                self._lifecycle.lease(self._model, self.trial.split.champion) as champion,
            ):
                champion.feed.observer = None

    def _acquire(self, version: int) -> Servable:
        return self._lifecycle.acquire(self._model, version)

    def _answer_again(self, split: TrafficSplit, rules: RolloutRules) -> None:
        events, counted = self._events, self._metrics.second_answers
        if events is None or (rules.quality_margin >= 1 and not rules.min_truths):
            return
        self._answerer = SecondAnswerer(
            split,
            rules.shadow_share,
            self._acquire,
            self._is_idle,
            self._budget,
            events.writer.put_second,
            lambda result: counted.labels(self._model, result).inc(),
            stuck_after_s=self._timeout_s,
        )
        events.observers[self._model] = self._answerer.observe

    def _begin_shadow(self, split: TrafficSplit, rules: RolloutRules) -> None:
        with self._lifecycle.lease(self._model, split.champion) as champion:
            self._shadow = Shadow(
                (split.champion, split.candidate),
                rules,
                self._acquire,
                self._may_shadow,
                self._budget,
                stuck_after_s=self._timeout_s,
            )
            champion.feed.observer = self._shadow.observe

    def _may_shadow(self) -> bool:
        # One at a time, so that what the versions take compares.
        answerer = self._answerer
        return self._is_idle() and not (answerer is not None and answerer.is_running)


def _has_shadow(stage: Stage, rules: RolloutRules) -> bool:
    """Whether the candidate answers batches again: in the canary so that times are compared."""
    return stage is Stage.SHADOW or (stage is Stage.CANARY and rules.slow_margin < 1)
