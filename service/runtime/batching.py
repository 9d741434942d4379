"""Natural batching: requests that wait for a signature together run together.

An idle signature runs a request at once, on the thread that brought it. What arrives meanwhile
waits, and is the next batch as soon as the signature is free: there is no timer, and a lone
client waits for nobody.

The thread of a batch's first request runs the whole batch (it *leads*), then makes the first of
those who wait the next leader and goes on to answer its own client.
"""

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Any

import numpy as np

from service.errors import AbandonedError, DeadlineError, ServiceError
from service.repository.golden import Tensors

# How long a request waits before it looks whether its client is still there: a look is a system
# call, which only those need pay who wait for long.
_LOOK_S = 0.25

Call = Callable[[Tensors], Tensors]


class _Ticket:
    """A request that waits."""

    __slots__ = ("error", "inputs", "leads", "outputs", "rows", "shapes", "wake")

    def __init__(self, inputs: Tensors, rows: int) -> None:
        self.inputs = inputs
        self.rows = rows
        self.shapes = [tensor.shape[1:] for tensor in inputs.values()]
        self.outputs: Tensors | None = None
        self.error: Exception | None = None
        # Whether the ticket's thread is to run the next batch.
        self.leads = False
        self.wake = threading.Lock()
        self.wake.acquire()


class Batcher:
    """Runs the requests for one signature of one servable, one batch at a time."""

    def __init__(
        self,
        call: Call,
        *,
        batched: bool,
        most_rows: int,
        note_batch: Callable[[int, float], None],
    ) -> None:
        """Prepare.

        Args:
            call: runs one batch.
            batched: whether rows of several requests can run as one batch, and those of one
                request as several: whether they are independent.
            most_rows: the most rows of a batch.
            note_batch: is told the rows of each batch that has run, and the seconds that it took.
        """
        self._call = call
        self._batched = batched
        self._most_rows = most_rows
        self._note_batch = note_batch
        self._lock = threading.Lock()
        self._busy = False
        self._waiting: deque[_Ticket] = deque()

    @property
    def batched(self) -> bool:
        """Whether requests may run together; to set it counts from the next batch on."""
        return self._batched

    @batched.setter
    def batched(self, batched: bool) -> None:
        self._batched = batched

    def run(
        self, inputs: Tensors, *, deadline: float, is_gone: Callable[[], bool]
    ) -> tuple[Tensors, float]:
        """Run a request, in as many batches as it needs.

        Args:
            inputs: an array for each input of the signature.
            deadline: when the request is too late, in seconds of ``time.monotonic``.
            is_gone: tells whether the client has hung up.

        Returns:
            An array for each output, and the seconds that the request has waited.

        Raises:
            DeadlineError: the deadline passed before the answer was there.
            AbandonedError: the client has hung up.
            ServiceError: the model refused the input or failed.
        """
        rows = next(iter(inputs.values())).shape[0] if self._batched else 1
        if rows <= self._most_rows or not self._batched:
            return self._run(inputs, rows, deadline, is_gone)
        parts, waited = [], 0.0
        for start in range(0, rows, self._most_rows):
            part = {name: t[start : start + self._most_rows] for name, t in inputs.items()}
            count = min(self._most_rows, rows - start)
            outputs, seconds = self._run(part, count, deadline, is_gone)
            waited += seconds
            if not _has_rows(outputs, count):
                # Its answers are not for the rows one by one, so it must see them all at once.
                return self._run(inputs, rows, deadline, is_gone)
            parts.append(outputs)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, waited

    def _run(
        self, inputs: Tensors, rows: int, deadline: float, is_gone: Callable[[], bool]
    ) -> tuple[Tensors, float]:
        _check(deadline)
        with self._lock:
            ticket = None
            if self._busy:
                ticket = _Ticket(inputs, rows)
                self._waiting.append(ticket)
            self._busy = True
        if ticket is None:
            try:
                start = perf_counter()
                outputs = self._call(inputs)
                self._note_batch(rows, perf_counter() - start)
            finally:
                self._hand_over()
            _check(deadline)
            return outputs, 0.0
        start = perf_counter()
        self._wait(ticket, deadline, is_gone)
        waited = perf_counter() - start
        if ticket.leads:
            self._lead(self._take(ticket))
        if ticket.outputs is None:
            raise ticket.error or ServiceError("The request's batch was broken off.")
        _check(deadline)
        return ticket.outputs, waited

    def _wait(self, ticket: _Ticket, deadline: float, is_gone: Callable[[], bool]) -> None:
        """Return when the ticket has its answer or is to lead; else raise why it gave up."""
        while True:
            left = deadline - monotonic()
            if left > 0 and ticket.wake.acquire(timeout=min(left, _LOOK_S)):
                return
            reason: ServiceError
            if deadline <= monotonic():
                reason = DeadlineError()
            elif is_gone():
                reason = AbandonedError()
            else:
                continue
            with self._lock:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
            if ticket.leads:
                # It was made the leader a moment ago; the others must not wait for it.
                self._hand_over()
            raise reason

    def _take(self, first: _Ticket) -> list[_Ticket]:
        """Take those who wait and fit into one batch with ``first``, in their order."""
        batch, rows = [first], first.rows
        with self._lock:
            while self._batched and self._waiting:
                ticket = self._waiting[0]
                rows += ticket.rows
                if rows > self._most_rows or ticket.shapes != first.shapes:
                    break
                batch.append(self._waiting.popleft())
        return batch

    def _lead(self, batch: list[_Ticket]) -> None:
        try:
            self._answer(batch)
        finally:
            self._hand_over()
            for ticket in batch[1:]:
                ticket.wake.release()

    def _answer(self, batch: list[_Ticket]) -> None:
        """Give each ticket its outputs or its error; a failure is only for those who cause it."""
        if len(batch) > 1:
            start = perf_counter()
            try:
                outputs = self._call(_joined(batch))
            except Exception:
                outputs = None
            rows = sum(ticket.rows for ticket in batch)
            if outputs is not None and _has_rows(outputs, rows):
                self._note_batch(rows, perf_counter() - start)
                _divide(outputs, batch)
                return
        for ticket in batch:
            start = perf_counter()
            try:
                ticket.outputs = self._call(ticket.inputs)
                self._note_batch(ticket.rows, perf_counter() - start)
            except Exception as error:
                ticket.error = error

    def _hand_over(self) -> None:
        """Make the first of those who wait the leader, or say that the signature is idle."""
        with self._lock:
            if not self._waiting:
                self._busy = False
                return
            leader = self._waiting.popleft()
            leader.leads = True
        leader.wake.release()


def _check(deadline: float) -> None:
    if monotonic() >= deadline:
        raise DeadlineError


def _has_rows(outputs: Tensors, rows: int) -> bool:
    return all(tensor.ndim and tensor.shape[0] == rows for tensor in outputs.values())


def _joined(batch: list[_Ticket]) -> dict[str, Any]:
    return {
        name: np.concatenate([ticket.inputs[name] for ticket in batch]) for name in batch[0].inputs
    }


def _divide(outputs: Tensors, batch: list[_Ticket]) -> None:
    start = 0
    for ticket in batch:
        end = start + ticket.rows
        ticket.outputs = {name: tensor[start:end] for name, tensor in outputs.items()}
        start = end
