"""Lets the other version of a rollout answer stored requests again, for truths that come later.

Of the requests in the event store's sample, those that the champion answered are answered again by
the candidate, and the other way round, on the same tensors and while the worker is idle. Each is in
the sample by its id alone, and an answer that finds no idle moment is dropped whatever it would
have been. What either version fails on makes no pair; the counts of failures see to that.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic

from service.events.event_records import AnsweredRequest, is_one_instance, size_of
from service.events.sampling import Reason
from service.events.second_answers import SecondAnswer, second_answer
from service.monitoring.logs import log
from service.repository.golden_examples import Tensors
from service.rollout.disagreement import is_finite
from service.rollout.idle_budget import IdleBudget
from service.rollout.idle_wait import wait_for_idle
from service.runtime.servable import Servable
from service.runtime.traffic_split import TrafficSplit

# Of one worker.
_MOST_QUEUED = 200
_MOST_QUEUED_BYTES = 8 * 2**20
# For how long a request waits for an idle moment once its turn has come.
_PATIENCE_S = 2.0
# Thread time that storing an answer takes later, as it makes a row of its request: measured with
# five in one transaction; 20 took 70 us each, and those that came with their requests 20 to 50.
_STORING_S = 0.00025

Lease = Callable[[int], Servable]
NoteResult = Callable[[str], None]


class SecondAnswerer:
    """Answers again in one worker, for one step of a rollout."""

    def __init__(
        self,
        split: TrafficSplit,
        share: float,
        lease: Lease,
        is_idle: Callable[[], bool],
        budget: IdleBudget,
        put: Callable[[SecondAnswer], None],
        note: NoteResult,
        *,
        stuck_after_s: float,
    ) -> None:
        """An answerer that does nothing before ``observe`` is called.

        Args:
            split: the step.
            share: of the worker's idle time that answers may take.
            lease: returns a version on a lease that is given back.
            is_idle: whether the worker has nothing to do.
            budget: of the worker; it bounds the time that answers take.
            put: stores an answer; never waits.
            note: is called with what became of each request: answered, failed or dropped.
            stuck_after_s: when an answer has taken so long, it counts as stuck.
        """
        self._split = split
        self._share = share
        self._budget = budget
        self._lease = lease
        self._is_idle = is_idle
        self._put = put
        self._note = note
        self._stuck_after_s = stuck_after_s
        self._queue: deque[tuple[AnsweredRequest, Tensors, int]] = deque()
        # A little off where several threads observe; set right when the queue is empty.
        self._queued_bytes = 0
        self._has_work = threading.Event()
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._running: tuple[Servable, float] | None = None

    @property
    def is_running(self) -> bool:
        """Whether a version answers again at this moment."""
        return self._running is not None

    @property
    def is_candidate_stuck(self) -> bool:
        """Whether an answer of the candidate's does not return."""
        running = self._running
        return (
            running is not None
            and running[0].version == self._split.candidate
            and monotonic() - running[1] > self._stuck_after_s
        )

    def observe(self, request: AnsweredRequest, inputs: Tensors) -> None:
        """Take a sampled request that was answered; never waits.

        Args:
            request: the request.
            inputs: as the version that answered got them.
        """
        versions = (self._split.champion, self._split.candidate)
        # Audits come of these alone.
        if request.inclusion.reason is not Reason.SAMPLE or request.status >= 400:
            return
        if request.outputs is None or request.version not in versions or self._stop.is_set():
            return
        # A file that was prepared is larger than what was sent.
        size = request.size + size_of(inputs)
        if size > _MOST_QUEUED_BYTES:
            self._note("dropped")
            return
        while len(self._queue) >= _MOST_QUEUED or self._queued_bytes + size > _MOST_QUEUED_BYTES:
            self._drop_oldest()
        self._queued_bytes += size
        self._queue.append((request, inputs, size))
        self._has_work.set()
        if self._thread is None:
            self._start()

    def stop(self) -> None:
        """Answer no more; what waits is given up."""
        self._stop.set()
        self._has_work.set()
        running = self._running
        if running is not None and monotonic() - running[1] > self._stuck_after_s:
            # It could not be unloaded otherwise.
            running[0].interrupt()

    def _drop_oldest(self) -> None:
        try:
            self._queued_bytes -= self._queue.popleft()[2]
        except IndexError:  # The thread was quicker.
            self._queued_bytes = 0
        else:
            self._note("dropped")

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="second answers", daemon=True
                )
                self._thread.start()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._has_work.wait()
            self._has_work.clear()
            while self._queue and not self._stop.is_set():
                try:
                    # The newest: with its answer it becomes a row of the store at once. An older
                    # one would have to be looked for in the bundle that was written of it.
                    request, inputs, size = self._queue.pop()
                except IndexError:  # It has just been dropped.
                    break
                self._queued_bytes -= size
                start, result = None, "dropped"
                try:
                    if wait_for_idle(self._is_idle, self._stop.is_set, _PATIENCE_S):
                        start = monotonic()
                        result = self._answer(request, inputs)
                except Exception as error:
                    # Nobody must notice; a version may just have been unloaded.
                    log(logging.DEBUG, "A request was not answered again.", error=error)
                self._note(result)
                if start is not None:
                    self._budget.spend(monotonic() - start + _STORING_S, self._share)
                while (rest_s := self._budget.rest_s()) and not self._stop.wait(rest_s):
                    pass
            if not self._queue:
                self._queued_bytes = 0

    def _answer(self, request: AnsweredRequest, inputs: Tensors) -> str:
        """Let the other version answer; return what became of it."""
        split = self._split
        is_candidates = request.version == split.candidate
        servable = self._lease(split.champion if is_candidates else split.candidate)
        try:
            if _rows(request, inputs) > servable.most_rows:
                return "dropped"
            self._running = (servable, monotonic())
            try:
                signature = servable.contract[request.signature.name]
                outputs = servable.predict(signature, inputs)
            except Exception:
                return "failed"
            finally:
                self._running = None
            if not is_finite(outputs):
                return "failed"
            self._put(second_answer(request, split.rollout, servable.version, signature, outputs))
            return "answered"
        finally:
            servable.release()


def _rows(request: AnsweredRequest, inputs: Tensors) -> int:
    if is_one_instance(request.signature, request.instances):
        # However long its tensors are.
        return 1
    return max([array.shape[0] if array.ndim else 1 for array in inputs.values()], default=1)
