"""Natural batching on the event loop: requests that are readable at one moment run together.

An idle signature runs what has come in this turn of the loop as one batch. There is no timer, so
a lone client waits for nobody. A quick call runs on the loop; a slow one on a thread, while the
loop reads on and the next batch gathers.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import KW_ONLY, dataclass
from time import monotonic, perf_counter
from typing import Any

import numpy as np

from service.errors import AbandonedError, DeadlineError, ServiceError, UnavailableError, strip
from service.repository.golden_examples import Tensors
from service.runtime.call_cost import CallCost

# How often requests that wait for a slow call are looked at: is their time up?
_LOOK_S = 0.05
# When to ask a model again that is stuck: it may be replaced by then.
_STUCK_RETRY_S = 30

Call = Callable[[Tensors], Tensors]
NoteBatch = Callable[[int, float], None]
# Sees the inputs and the outputs of a batch after its requests were answered.
ObserveAnswers = Callable[[Tensors, Tensors], None]
# Called with what records the traces of a batch's requests, its rows, and when it began and ended.
TraceBatch = Callable[[Sequence[Any], int, float, float], None]
# Called with a signature's name, its inputs and its outputs; ``None`` if the call failed.
ObserveBatch = Callable[[str, Tensors, Tensors | None], None]


@dataclass(slots=True)
class BatchFeed:
    """Where a version's batches can be seen, after their requests have been answered.

    Attributes:
        observer: is called on the loop with each batch that has run; ``None`` for none.
    """

    observer: ObserveBatch | None = None


@dataclass(slots=True, eq=False)
class Ticket:
    """A request that waits for its outputs. Belongs to the loop's thread.

    Attributes:
        inputs: an array for each input of the signature.
        rows: how many rows it has; 1 when they are not independent.
        deadline: when it is too late, in seconds of ``time.monotonic``.
        on_done: is called once, with this ticket, when ``outputs`` or ``error`` is set.
        rows_independent: whether it may run together with others, and its rows in several batches.
        outputs: an array for each output, when it has run.
        error: why there are none.
        trace: what records its trace; ``None`` where nothing does.
        since: when it began to wait, in seconds of ``time.perf_counter``.
        began: when its first batch began; ``None`` before.
        ran_s: seconds that its batches ran.
    """

    inputs: Tensors
    rows: int
    deadline: float
    on_done: Callable[["Ticket"], None]
    _: KW_ONLY
    rows_independent: bool
    shapes: tuple[tuple[int, ...], ...] = ()
    outputs: Tensors | None = None
    error: Exception | None = None
    trace: Any = None
    since: float = 0.0
    began: float | None = None
    ran_s: float = 0.0
    is_done: bool = False

    def finish(self, outputs: Tensors | None, error: Exception | None) -> None:
        """Hand over the result, unless the request was given up before."""
        if not self.is_done:
            self.is_done = True
            self.outputs, self.error = outputs, error
            self.on_done(self)

    def abandon(self) -> None:
        """Give the request up, because its client has hung up."""
        self.finish(None, AbandonedError())


@dataclass(slots=True)
class _Result:
    outputs: Tensors | None
    error: Exception | None
    seconds: float
    inputs: Tensors


class BatchQueue:
    """Runs the requests for one signature of one servable, one batch at a time.

    All methods are called on the loop's thread.
    """

    def __init__(
        self,
        call: Call,
        *,
        most_rows: int,
        cost: CallCost,
        note_batch: NoteBatch,
        loop: asyncio.AbstractEventLoop,
        threads: Executor,
        stuck_after_s: float = math.inf,
        observe: ObserveAnswers | None = None,
        trace_batch: TraceBatch | None = None,
        signature: str = "",
        feed: BatchFeed | None = None,
    ) -> None:
        """A queue that nothing waits in yet.

        Args:
            call: runs one batch.
            most_rows: the most rows of a batch.
            cost: how long the call takes.
            note_batch: is called with the rows and seconds of each batch that has run.
            loop: the loop.
            threads: runs calls that are not quick.
            stuck_after_s: seconds after which no request waits behind a running call any more.
            observe: is called with each batch that has run, after its requests were answered.
            trace_batch: records batches whose requests are traced; unset, none is.
            signature: the signature's name.
            feed: shows the batches that have run.
        """
        self._signature = signature
        self._feed = feed or BatchFeed()
        self._call = call
        self._observe = observe
        self._most_rows = most_rows
        self._cost = cost
        self._note_batch = note_batch
        self._loop = loop
        self._threads = threads
        self._stuck_after_s = stuck_after_s
        self._trace_batch = trace_batch
        self._waiting: deque[Ticket] = deque()
        self._running: Sequence[Ticket] = ()
        self._scheduled = False
        self._look: asyncio.TimerHandle | None = None

    def submit(self, ticket: Ticket) -> None:
        """Let a request wait for the next batch; ``ticket.on_done`` is called at its end."""
        if self._cost.running_s > self._stuck_after_s:
            ticket.finish(None, self._stuck())
            return
        ticket.since = perf_counter()
        ticket.shapes = tuple([tensor.shape[1:] for tensor in ticket.inputs.values()])
        if ticket.rows_independent and ticket.rows > self._most_rows:
            _Divided(self, ticket, self._most_rows)
            return
        self._waiting.append(ticket)
        self._schedule()

    def _stuck(self) -> UnavailableError:
        return UnavailableError(
            "The model is stuck: an earlier prediction with this signature has not returned "
            f"for {self._cost.running_s:.0f} s.",
            retry_after_s=_STUCK_RETRY_S,
        )

    def _schedule(self) -> None:
        if not self._scheduled and not self._running:
            self._scheduled = True
            self._loop.call_soon(self._run_next)

    def _run_next(self) -> None:
        self._scheduled = False
        batch = self._take()
        if not batch:
            return
        rows = sum([ticket.rows for ticket in batch])
        now = perf_counter()
        for ticket in batch:
            ticket.began = now
        if self._cost.is_quick(rows):
            self._finish(batch, run_batch(self._call, batch))
        else:
            self._running = batch
            self._cost.begin()
            running = self._threads.submit(run_batch, self._call, batch)
            running.add_done_callback(
                lambda done: self._loop.call_soon_threadsafe(self._ran, batch, done.result())
            )
            self._watch()

    def _ran(self, batch: Sequence[Ticket], results: list[_Result]) -> None:
        self._running = ()
        self._cost.end()
        self._finish(batch, results)

    def _finish(self, batch: Sequence[Ticket], results: list[_Result]) -> None:
        # The next batch gathers while these are answered.
        if self._waiting:
            self._schedule()
        if self._trace_batch is not None:
            self._record(batch, results, self._trace_batch)
        if len(results) == len(batch):
            for ticket, result in zip(batch, results, strict=True):
                self._note(ticket.rows, result)
                ticket.ran_s = result.seconds
                ticket.finish(result.outputs, result.error)
            self._show(results)
            return
        (result,) = results
        assert result.outputs is not None
        self._note(sum([ticket.rows for ticket in batch]), result)
        start = 0
        for ticket in batch:
            end = start + ticket.rows
            ticket.ran_s = result.seconds
            ticket.finish({name: t[start:end] for name, t in result.outputs.items()}, None)
            start = end
        self._show(results)

    def _show(self, results: Sequence[_Result]) -> None:
        """Show what has run, now that its requests are answered."""
        observer = self._feed.observer
        if observer is not None:
            for result in results:
                observer(self._signature, result.inputs, result.outputs)
        if self._observe is not None:
            for result in results:
                if result.outputs is not None:
                    self._observe(result.inputs, result.outputs)

    def _record(
        self, batch: Sequence[Ticket], results: Sequence[_Result], trace_batch: TraceBatch
    ) -> None:
        traces = [ticket.trace for ticket in batch if ticket.trace is not None]
        began = batch[0].began
        if traces and began is not None:
            ended = began + sum([result.seconds for result in results])
            trace_batch(traces, sum([ticket.rows for ticket in batch]), began, ended)

    def _note(self, rows: int, result: _Result) -> None:
        self._cost.note(rows, result.seconds)
        if result.error is None:
            self._note_batch(rows, result.seconds)

    def _take(self) -> list[Ticket]:
        """Take the requests that run together: the first that waits, and those that fit with it."""
        batch: list[Ticket] = []
        rows = 0
        now = monotonic()
        while self._waiting:
            ticket = self._waiting[0]
            if ticket.is_done:
                self._waiting.popleft()
                continue
            if now >= ticket.deadline:
                self._waiting.popleft()
                ticket.finish(None, DeadlineError())
                continue
            rows += ticket.rows
            if batch and (
                not ticket.rows_independent
                or not batch[0].rows_independent
                or rows > self._most_rows
                or ticket.shapes != batch[0].shapes
            ):
                break
            batch.append(self._waiting.popleft())
        return batch

    def _watch(self) -> None:
        if self._look is None:
            self._look = self._loop.call_later(_LOOK_S, self._end_late)

    def _end_late(self) -> None:
        """End what waits, or runs, beyond its deadline."""
        self._look = None
        now = monotonic()
        for ticket in (*self._running, *self._waiting):
            if now >= ticket.deadline:
                ticket.finish(None, DeadlineError())
        if self._running:
            self._watch()


class _Divided:
    """A request of more rows than a batch may have: it waits its turn for each part."""

    def __init__(self, queue: BatchQueue, whole: Ticket, most_rows: int) -> None:
        self._queue = queue
        self._whole = whole
        self._most_rows = most_rows
        self._start = 0
        self._parts: list[Tensors] = []
        self._next()

    def _next(self) -> None:
        start, whole = self._start, self._whole
        count = min(self._most_rows, whole.rows - start)
        part = {name: tensor[start : start + count] for name, tensor in whole.inputs.items()}
        self._queue.submit(
            Ticket(
                part,
                count,
                whole.deadline,
                self._part_done,
                rows_independent=True,
                trace=whole.trace,
            )
        )

    def _part_done(self, part: Ticket) -> None:
        whole = self._whole
        if whole.is_done:
            return
        if not self._parts:
            whole.began = part.began
        whole.ran_s += part.ran_s
        if part.error is not None:
            whole.finish(None, part.error)
            return
        assert part.outputs is not None
        self._parts.append(part.outputs)
        self._start += part.rows
        if self._start < whole.rows:
            self._next()
            return
        whole.finish(joined(self._parts), None)


def run_batch(call: Call, batch: Sequence[Ticket]) -> list[_Result]:
    """Run requests together; where that fails, one by one, so that only its culprit fails.

    Returns:
        One result for all of them together, or one for each.
    """
    if len(batch) > 1:
        result = _attempt(call, joined([ticket.inputs for ticket in batch]))
        if result.outputs is not None and has_rows(
            result.outputs, sum([ticket.rows for ticket in batch])
        ):
            return [result]
        if result.error is not None:
            strip(result.error)
    return [_attempt(call, ticket.inputs) for ticket in batch]


def run_alone(
    call: Call, inputs: Tensors, rows: int, *, batched: bool, most_rows: int, note_batch: NoteBatch
) -> Tensors:
    """Run one request on the calling thread, in as many batches as it needs.

    Args:
        call: runs one batch.
        inputs: an array for each input of the signature.
        rows: how many rows they have.
        batched: whether the rows can run as several batches.
        most_rows: the most rows of a batch.
        note_batch: is called with the rows and seconds of each batch that has run.

    Raises:
        ServiceError: the model refused the input or failed.
    """
    step = most_rows if batched else max(rows, 1)
    parts = []
    for start in range(0, max(rows, 1), step):
        part = inputs
        if rows > step:
            part = {name: tensor[start : start + step] for name, tensor in inputs.items()}
        begin = perf_counter()
        parts.append(call(part))
        note_batch(min(step, rows - start), perf_counter() - begin)
    return parts[0] if len(parts) == 1 else joined(parts)


def joined(parts: Sequence[Tensors]) -> Tensors:
    """Return the rows of ``parts`` as one, in their order."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def has_rows(outputs: Tensors, rows: int) -> bool:
    """Whether each of the outputs has ``rows`` rows."""
    return all(tensor.ndim and tensor.shape[0] == rows for tensor in outputs.values())


def _attempt(call: Call, inputs: Tensors) -> _Result:
    start = perf_counter()
    try:
        return _Result(call(inputs), None, perf_counter() - start, inputs)
    except Exception as error:
        return _Result(None, error, perf_counter() - start, inputs)
    except BaseException as error:
        # Whatever ended this call must not end the queue.
        failure = ServiceError("The prediction was broken off.")
        failure.__cause__ = error
        return _Result(None, failure, perf_counter() - start, inputs)
