"""Natural batching: requests that wait for a signature together run together.

An idle signature runs a request at once. What arrives meanwhile waits, and is the next batch as
soon as the signature is free: there is no timer, and a lone client waits for nobody.

A batch that is quick (service/runtime/execution.py) runs on the thread of its first request, which
*leads* it, then makes the first of those who wait the next leader and goes on to answer its own
client. Any other batch runs on a thread of its own, which goes on with the next one; who asks waits
for it no longer than until the deadline.

The right to run (``_busy``) is handed over whatever is raised on the way, so that no failure of one
request keeps the signature from the others.
"""

import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

import numpy as np

from service.errors import AbandonedError, DeadlineError, ServiceError, UnavailableError
from service.logs import log
from service.repository.golden import Tensors
from service.runtime.execution import THREADS, Execution

# How long a request waits before it looks whether its client is still there: a look is a system
# call, which only those need pay who wait for long.
_LOOK_S = 0.25
# When to come back to a signature whose call does not return.
_STUCK_RETRY_S = 30

Call = Callable[[Tensors], Tensors]


class _Ticket:
    """A request that waits."""

    __slots__ = (
        *("answered", "began", "error", "given_up", "inputs", "leads", "outputs", "rows"),
        *("shapes", "wake"),
    )

    def __init__(self, inputs: Tensors, rows: int, *, leads: bool = False) -> None:
        self.inputs = inputs
        self.rows = rows
        self.shapes = [tensor.shape[1:] for tensor in inputs.values()]
        self.outputs: Tensors | None = None
        self.error: Exception | None = None
        # When its batch began to run.
        self.began: float | None = None
        # Whether the ticket's thread is to run the next batch.
        self.leads = leads
        # Whether nobody waits for its answer any more; and whether there is no more to wait for.
        self.given_up = False
        self.answered = False
        self.wake = threading.Lock()
        self.wake.acquire()


def _nothing() -> None:
    """Do nothing."""


class Batcher:
    """Runs the requests for one signature of one servable, one batch at a time."""

    def __init__(
        self,
        call: Call,
        *,
        batched: bool,
        most_rows: int,
        note_batch: Callable[[int, float], None],
        execution: Execution | None = None,
        stuck_after_s: float = math.inf,
        hold: Callable[[], None] = _nothing,
        let_go: Callable[[], None] = _nothing,
    ) -> None:
        """Prepare.

        Args:
            call: runs one batch.
            batched: whether rows of several requests can run as one batch, and those of one
                request as several.
            most_rows: the most rows of a batch.
            note_batch: is told the rows of each batch that has run, and the seconds that it took.
            execution: says where a batch runs.
            stuck_after_s: when a call has run for so long, nobody waits for its answer any more.
            hold: called before batches run on a thread of their own, so that what they need
                stays; ``let_go`` is called when they are done.
            let_go: see ``hold``.
        """
        self._call = call
        self._batched = batched
        self._most_rows = most_rows
        self._note_batch = note_batch
        self._execution = execution or Execution()
        self._stuck_after_s = stuck_after_s
        self._hold = hold
        self._let_go = let_go
        # When the call that runs now began.
        self._since: float | None = None
        self._lock = threading.Lock()
        self._busy = False
        self._waiting: deque[_Ticket] = deque()

    @property
    def stuck_s(self) -> float:
        """For how long the call that runs has been stuck, in seconds; 0 when it is not."""
        since = self._since
        return 0.0 if since is None else max(0.0, monotonic() - since - self._stuck_after_s)

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
            UnavailableError: an earlier call does not return.
            ServiceError: the model refused the input or failed.
        """
        rows = next(iter(inputs.values())).shape[0] if self._batched else 1
        if rows <= self._most_rows:
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
        ticket = None
        with self._lock:
            if self._busy:
                self._refuse_if_stuck()
                ticket = _Ticket(inputs, rows)
                self._waiting.append(ticket)
            self._busy = True
        if ticket is None:
            try:
                if self._execution.is_quick(rows):
                    outputs = self._timed(inputs, rows)
                else:
                    ticket = _Ticket(inputs, rows, leads=True)
            finally:
                if ticket is None:
                    self._hand_over()
            if ticket is None:
                _check(deadline)
                return outputs, 0.0
        start = monotonic()
        try:
            if not ticket.leads:
                self._wait(ticket, deadline, is_gone)
            if ticket.leads and self._lead(ticket):
                self._wait(ticket, deadline, is_gone)
        except BaseException:
            self._give_up(ticket)
            raise
        if ticket.outputs is None:
            raise ticket.error or ServiceError("The request's batch was broken off.")
        _check(deadline)
        return ticket.outputs, max(0.0, (ticket.began or start) - start)

    def _refuse_if_stuck(self) -> None:
        since = self._since
        if since is not None and self.stuck_s:
            raise UnavailableError(
                "The model is stuck: an earlier prediction with this signature has not returned "
                f"for {monotonic() - since:.0f} s.",
                retry_after_s=_STUCK_RETRY_S,
            )

    def _wait(self, ticket: _Ticket, deadline: float, is_gone: Callable[[], bool]) -> None:
        """Return when the ticket has its answer or is to lead; else raise why it need not wait."""
        while True:
            left = deadline - monotonic()
            if left > 0 and ticket.wake.acquire(timeout=min(left, _LOOK_S)):
                return
            _check(deadline)
            if is_gone():
                raise AbandonedError

    def _give_up(self, ticket: _Ticket) -> None:
        with self._lock:
            ticket.given_up = True
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            leads, ticket.leads = ticket.leads, False
        if leads:
            # It was made the leader a moment ago; the others must not wait for it.
            self._hand_over()

    def _lead(self, ticket: _Ticket) -> bool:
        """Run a batch, or have it run; whether the ticket has to wait for its answer."""
        batch = [ticket]
        passed_on = False
        try:
            with self._lock:
                self._fill(batch)
            if self._execution.is_quick(sum(each.rows for each in batch)):
                self._answer(batch)
            else:
                self._pass_on(batch)
                passed_on = True
        finally:
            ticket.leads = False
            if not passed_on:
                self._hand_over()
                _wake(batch[1:])
        return passed_on

    def _fill(self, batch: list[_Ticket]) -> None:
        """Add those who wait and fit into one batch with its first, in their order."""
        first, rows = batch[0], batch[0].rows
        while self._batched and self._waiting:
            ticket = self._waiting[0]
            rows += ticket.rows
            if rows > self._most_rows or ticket.shapes != first.shapes:
                break
            batch.append(ticket)
            self._waiting.popleft()

    def _pass_on(self, batch: list[_Ticket]) -> None:
        self._hold()
        try:
            THREADS.run(partial(self._perform, batch))
        except BaseException as error:
            self._let_go()
            if isinstance(error, RuntimeError):
                message = "The worker can start no thread to run it on."
                raise UnavailableError(message, retry_after_s=1) from error
            raise

    def _perform(self, batch: list[_Ticket]) -> None:
        """Run batch after batch, on a thread of their own; raises nothing."""
        try:
            while batch:
                self._answer(batch)
                _wake(batch)
                batch = []
                with self._lock:
                    if self._waiting:
                        batch.append(self._waiting.popleft())
                        self._fill(batch)
                    else:
                        self._busy = False
        except BaseException as error:
            log(logging.ERROR, "A batch was broken off.", error=error)
            _wake(batch)
            self._hand_over()
        finally:
            self._let_go()

    def _answer(self, batch: list[_Ticket]) -> None:
        """Give each ticket its outputs or its error; a failure is only for those who cause it."""
        batch = [ticket for ticket in batch if not ticket.given_up]
        began = monotonic()
        for ticket in batch:
            ticket.began = began
        if len(batch) > 1:
            rows = sum(ticket.rows for ticket in batch)
            try:
                outputs = self._timed(_joined(batch), rows)
            except Exception:
                outputs = None
            if outputs is not None and _has_rows(outputs, rows):
                _divide(outputs, batch)
                return
        for ticket in batch:
            if not ticket.given_up:
                ticket.outputs, ticket.error = self._attempt(ticket.inputs, ticket.rows)

    def _attempt(self, inputs: Tensors, rows: int) -> tuple[Tensors | None, Exception | None]:
        """Return a call's outputs or its error, whose traceback does not lead to a ticket."""
        try:
            return self._timed(inputs, rows), None
        except Exception as error:
            return None, error

    def _timed(self, inputs: Tensors, rows: int) -> Tensors:
        start = self._since = monotonic()
        try:
            outputs = self._call(inputs)
        finally:
            self._since = None
        try:
            seconds = monotonic() - start
            self._execution.note(rows, seconds)
            self._note_batch(rows, seconds)
        except Exception as error:
            # There is an answer; that it is not counted is no reason to withhold it.
            log(logging.ERROR, "A batch could not be counted.", error=error)
        return outputs

    def _hand_over(self) -> None:
        """Make the first of those who wait the leader, or say that the signature is idle."""
        with self._lock:
            if not self._waiting:
                self._busy = False
                return
            leader = self._waiting.popleft()
            leader.leads = True
        leader.wake.release()


def _wake(batch: list[_Ticket]) -> None:
    for ticket in batch:
        if not ticket.answered:
            ticket.answered = True
            ticket.wake.release()


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
