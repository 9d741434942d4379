"""The candidate answers batches of the champion again; its answers are only compared.

A sampled batch waits for a moment in which the worker has nothing to do, and is dropped if none
comes soon. Both versions run it then by turns on one thread, some times unless a request comes, so
that their times compare. After each batch the shadow rests in proportion to what it took.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from math import log as ln
from time import monotonic, perf_counter

from service.monitoring.logs import log
from service.repository.golden_examples import Tensors
from service.repository.rollout_policy import RolloutRules
from service.rollout.disagreement import is_finite, share_of_disagreement
from service.rollout.idle_budget import IdleBudget
from service.rollout.idle_wait import wait_for_idle
from service.runtime.servable import Servable

# For how long a batch waits for an idle moment.
_PATIENCE_S = 0.25
# Of each version for a batch whose times are compared: so many, or so many at least where a request
# comes in between. The first run is not enough by itself.
_RUNS, _LEAST_RUNS = 3, 2
# Of both versions' first runs. After as long a time a request has nearly always come, so a
# candidate that is slow on some inputs would go uncompared on just those: each run then waits for
# an idle moment of its own. What the caches hold before it matters little to so long a run.
_LONG_S = 0.04
# A candidate that is slow on some inputs only is not slower in most batches, but far slower in
# some. Noise, which falls on both versions alike, makes it far faster as often. The factor is so
# large that one that is as fast as the champion is seldom far faster than what is allowed.
FAR = 2.0
# While failures point to harm, only one batch in so many is timed: they are what the rollout waits
# for, one run shows one, and comparing times takes up to six.
_SELDOM = 8
# Less than this is not told apart. Two loads of the same version differed by up to 3 % on average;
# by 1 % one was slower in 58 % of 2,205 batches. That the champion is warmer is a part of it.
_FINEST = 0.05

# A version's outputs, and how many seconds they took.
_Answer = tuple[Tensors | None, float]

Lease = Callable[[int], Servable]


@dataclass(slots=True)
class ShadowCounts:
    """What the shadow has seen; sums, so that workers' add up.

    Attributes:
        batches: the champion's batches that the candidate ran as well.
        lost: those that only the champion answered, with finite numbers.
        won: those that only the candidate answered so.
        compared: those that both did.
        disagreed: over those, the sum of the shares of rows that they answered differently.
        timed: those whose times were compared, before a request came.
        slower: those in which the candidate took longer than the rules allow.
        far_slower: those in which it took more than ``FAR`` times as long as that.
        far_faster: those in which it took less than a ``FAR``-th of that.
        log_ratio: the sum of the logarithms of candidate's over champion's seconds.
        dropped: batches that found no idle moment.
        stuck: whether a candidate's answer does not return, in how many workers.
    """

    batches: int = 0
    lost: int = 0
    won: int = 0
    compared: int = 0
    disagreed: float = 0.0
    timed: int = 0
    slower: int = 0
    far_slower: int = 0
    far_faster: int = 0
    log_ratio: float = 0.0
    dropped: int = 0
    stuck: int = 0

    def __add__(self, other: "ShadowCounts") -> "ShadowCounts":
        names = [each.name for each in fields(self)]
        return ShadowCounts(**{n: getattr(self, n) + getattr(other, n) for n in names})

    def to_json(self) -> dict[str, float]:
        """Return the counts as a JSON object."""
        return asdict(self)


def shadow_counts_from_json(value: Mapping[str, float]) -> ShadowCounts:
    """Return what ``ShadowCounts.to_json`` wrote, also in an earlier version.

    Raises:
        TypeError: it counts something else.
    """
    counts = ShadowCounts(**value)  # type: ignore[arg-type]
    if "far_slower" in value:
        return counts
    # That version did not count those: that there were none is not known.
    return replace(counts, timed=0, slower=0, log_ratio=0.0)


@dataclass(frozen=True, slots=True)
class _Sample:
    signature: str
    inputs: Tensors
    outputs: Tensors | None


class Shadow:
    """The shadow of one rollout in one worker."""

    def __init__(
        self,
        versions: tuple[int, int],
        rules: RolloutRules,
        lease: Lease,
        is_idle: Callable[[], bool],
        budget: IdleBudget,
        *,
        stuck_after_s: float,
    ) -> None:
        """A shadow that has seen nothing; its thread starts at once.

        Args:
            versions: the champion and the candidate.
            rules: of the rollout.
            lease: returns a version on a lease that the shadow gives back.
            is_idle: whether the worker has nothing to do.
            budget: of the worker; it bounds the time that the shadow takes.
            stuck_after_s: when an answer has taken so long, it counts as stuck.
        """
        self._versions = versions
        self._rules = rules
        self._lease = lease
        self._is_idle = is_idle
        self._budget = budget
        self._stuck_after_s = stuck_after_s
        self._counts = ShadowCounts()
        self._sample: _Sample | None = None
        self._running_since: float | None = None
        # For idle moments, since the first run of one batch.
        self._waited_s = 0.0
        self._has_work = threading.Event()
        self._stops = False
        self._candidate: Servable | None = None
        threading.Thread(target=self._work, name="shadow", daemon=True).start()

    def observe(self, signature: str, inputs: Tensors, outputs: Tensors | None) -> None:
        """Take a batch that the champion has answered, unless one waits already; on the loop."""
        if self._sample is None and not self._budget.rest_s():
            self._sample = _Sample(signature, inputs, outputs)
            self._has_work.set()

    def counts(self) -> ShadowCounts:
        """Return what was seen so far; any thread may ask."""
        since = self._running_since
        stuck = since is not None and monotonic() - since > self._stuck_after_s
        return replace(self._counts, stuck=int(stuck))

    def stop(self) -> None:
        """Take no more batches."""
        self._stops = True
        self._has_work.set()
        candidate = self._candidate
        if candidate is not None and self.counts().stuck:
            # It could not be unloaded otherwise.
            candidate.interrupt()

    def _work(self) -> None:
        while True:
            self._has_work.wait()
            if self._stops:
                return
            self._has_work.clear()
            sample = self._sample
            if sample is None:
                continue
            start = None
            try:
                if self._becomes_idle(_PATIENCE_S):
                    start, self._waited_s = monotonic(), 0.0
                    self._run(sample)
                else:
                    self._counts.dropped += 1
            except Exception as error:
                # Nobody must notice; the version may just have been unloaded.
                log(logging.DEBUG, "A batch had no shadow.", error=error)
            self._candidate = None
            if start is not None:
                spent_s = monotonic() - start - self._waited_s
                self._budget.spend(spent_s, self._rules.shadow_share)
            self._sample = None

    def _run(self, sample: _Sample) -> None:
        champion = self._lease(self._versions[0])
        try:
            candidate = self._lease(self._versions[1])
            try:
                self._compare(sample, champion, candidate)
            finally:
                candidate.release()
        finally:
            champion.release()

    def _compare(self, sample: _Sample, champion: Servable, candidate: Servable) -> None:
        self._candidate = candidate
        done = self._counts.batches
        is_seldom = self._counts.lost > self._counts.won
        is_timed = not (is_seldom and done % _SELDOM)
        # By turns, so that neither always comes first.
        turn = done // _SELDOM if is_seldom else done
        both = (candidate, champion) if turn % 2 else (champion, candidate)
        first = {each: self._answer(each, sample) for each in (both if is_timed else (candidate,))}
        outputs, other = sample.outputs, first[candidate][0]
        is_answered = outputs is not None and is_finite(outputs)
        is_answered_again = other is not None and is_finite(other)
        counts = replace(self._counts)
        counts.batches += 1
        counts.lost += is_answered and not is_answered_again
        counts.won += is_answered_again and not is_answered
        if outputs is not None and other is not None and is_answered and is_answered_again:
            counts.compared += 1
            counts.disagreed += share_of_disagreement(outputs, other, self._rules.tolerance)
            least = self._least_seconds(first, sample) if is_timed else None
            if least is not None:
                seconds, own_seconds = least[candidate], least[champion]
                allowed = own_seconds * (1 + max(_FINEST, self._rules.latency_margin))
                counts.timed += 1
                counts.slower += seconds > allowed
                counts.far_slower += seconds > allowed * FAR
                counts.far_faster += seconds < allowed / FAR
                counts.log_ratio += ln(seconds / own_seconds)
        # As a whole, because others read it meanwhile.
        self._counts = counts

    def _least_seconds(
        self, first: Mapping[Servable, _Answer], sample: _Sample
    ) -> dict[Servable, float] | None:
        """Return the shortest of several runs of each version.

        The champion is in the processor's caches by its requests, and the candidate is not: by
        that alone one of a small network took 1.8 times as long. The first run at a size is slow
        for any version. There is no pause between runs, in which requests would warm the champion,
        unless they are long. ``None`` where requests came too soon, or a run failed.

        Args:
            first: the first run of each.
            sample: what they answer.
        """
        least = {each: seconds for each, (_, seconds) in first.items()}
        turn_s = sum(least.values())
        for runs in range(1, _RUNS):
            seconds = {}
            for each in first:
                if not self._is_idle():
                    if runs >= _LEAST_RUNS:
                        return least
                    if turn_s < _LONG_S or not self._becomes_idle(_PATIENCE_S + turn_s):
                        return None
                answer, seconds[each] = self._answer(each, sample)
                if answer is None:
                    return None
            # By whole turns, so that each version has had as many runs.
            least = {each: min(least[each], seconds[each]) for each in first}
        return least

    def _becomes_idle(self, patience_s: float) -> bool:
        start = monotonic()
        try:
            return wait_for_idle(self._is_idle, lambda: self._stops, patience_s)
        finally:
            self._waited_s += monotonic() - start

    def _answer(self, servable: Servable, sample: _Sample) -> _Answer:
        """Return a version's outputs, ``None`` where it fails in whatever way, and its seconds."""
        self._running_since, start = monotonic(), perf_counter()
        try:
            outputs: Tensors | None = servable.predict(
                servable.contract[sample.signature], sample.inputs
            )
        except Exception:
            outputs = None
        # Waiting for an idle moment is not stuck.
        self._running_since = None
        return outputs, max(perf_counter() - start, 1e-9)
