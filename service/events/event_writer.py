"""Writes sampled requests into the store, in a thread of its own.

Callers never wait: the queue is bounded in number and in bytes, and requests that find it full
are dropped and counted. While the store cannot be used, what was taken from the queue
is kept and tried again, so that a short failure loses nothing.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from service.events.bundle_format import PackedRequests, unpack_records
from service.events.errors import RecordError, StoreError
from service.events.event_records import AnsweredRequest, EventRecord
from service.events.event_store import EventStore
from service.events.sampling import Reason
from service.events.second_answers import SecondAnswer
from service.monitoring.logs import log
from service.monitoring.prometheus_metrics import Metrics

# Of one worker; a request of more bytes than a quarter of them is not stored at all.
MOST_QUEUED = 10_000
MOST_QUEUED_BYTES = 32 * 2**20
MOST_BYTES = MOST_QUEUED_BYTES // 4
# Requests of so long are written in one transaction; a worker that is killed loses them.
_GATHER_S = 0.5
# In one bundle, and so in one transaction: the others' writers soon have their turn.
_MOST_AT_ONCE = 1024
# Between attempts while the store cannot be used.
_RETRY_S = 1.0
# Between checks for events that are too old or too many.
_EXPIRE_S = 60.0

# Why requests are not stored that should be; that one is too large is no failure.
LOSSES = ("queue", "record", "store")

Entry = PackedRequests | EventRecord | SecondAnswer


class EventWriter:
    """The queue of one worker, and the thread that empties it.

    Attributes:
        gather: is called by the thread before it writes, to put records that are still held back.
    """

    def __init__(
        self,
        store: EventStore,
        metrics: Metrics,
        *,
        most_age_s: float,
        most_bytes: int,
        most_queued: int = MOST_QUEUED,
        gather_s: float = _GATHER_S,
        retry_s: float = _RETRY_S,
    ) -> None:
        """A writer whose thread is started by ``start``, in the process that is to write.

        Args:
            store: where requests go.
            metrics: where they are counted.
            most_age_s: seconds after which they are removed.
            most_bytes: of all requests in the store.
            most_queued: how many may wait.
            gather_s: seconds between two transactions.
            retry_s: seconds between two attempts.
        """
        self.gather: Callable[[], None] = lambda: None
        self._store = store
        self._metrics = metrics
        self._most_age_s = most_age_s
        self._most_bytes = most_bytes
        self._most_queued = most_queued
        self._gather_s = gather_s
        self._retry_s = retry_s
        # What waits is changed by those who put, and taken away by the thread.
        self._lock = threading.Lock()
        self._packed: dict[str, list[PackedRequests]] = {}
        self._answers: list[SecondAnswer] = []
        self._queued = self._queued_bytes = 0
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._has_problem = False
        self._next_expiry = 0.0

    def start(self) -> None:
        """Start the thread, once."""
        with self._starting:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="events", daemon=True)
                self._thread.start()

    def put(self, requests: Sequence[AnsweredRequest]) -> None:
        """Hand over requests, or drop what is too much; never waits.

        The thread looks at them when ``wake`` is called, if it does not do so already.
        """
        refused: list[tuple[str, Exception]] = []
        lost: Counter[tuple[str, str]] = Counter()
        with self._lock:
            for request in requests:
                if request.size > MOST_BYTES:
                    lost[request.model, "large"] += 1
                elif self._is_full(request.size):
                    lost[request.model, "queue"] += 1
                else:
                    try:
                        self._pack(request)
                    except Exception as error:
                        refused.append((request.model, error))
        for (model, reason), count in lost.items():
            self._lose(model, reason, count)
        for model, why in refused:
            self.lose_refused(model, why)

    def put_second(self, answer: SecondAnswer) -> None:
        """Hand over a second answer to an earlier request, or drop it; never waits."""
        with self._lock:
            is_full = self._is_full(answer.size)
            if not is_full:
                self._answers.append(answer)
                self._queued += 1
                self._queued_bytes += answer.size
        if is_full:
            self._lose(answer.model, "queue")
        self.wake()

    def lose_refused(self, model: str, error: Exception) -> None:
        """Count and log a request that cannot be stored."""
        self._lose(model, "record")
        log(logging.ERROR, "A request cannot be stored.", error=error, model=model)

    def wake(self) -> None:
        """Let the thread look, within the time in which it gathers; it is started if need be."""
        if not self._wake.is_set():
            self._wake.set()
        if self._thread is None:
            self.start()

    def _pack(self, request: AnsweredRequest) -> None:
        of_model = self._packed.get(request.model)
        if of_model is None:
            of_model = self._packed[request.model] = [PackedRequests(request.model)]
        elif len(of_model[-1]) >= _MOST_AT_ONCE:
            of_model.append(PackedRequests(request.model))
        of_model[-1].add(request)
        self._queued += 1
        self._queued_bytes += request.size

    def _is_full(self, size: int) -> bool:
        return self._queued >= self._most_queued or self._queued_bytes + size > MOST_QUEUED_BYTES

    def stop(self, timeout_s: float) -> None:
        """Write what waits, and end the thread; what cannot be written in time is lost.

        Args:
            timeout_s: seconds to wait at most.
        """
        with self._starting:
            self._stop.set()
            self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._prepare()
            while not self._stop.is_set():
                self._wake.wait(_EXPIRE_S)
                self._stop.wait(self._gather_s)
                self._wake.clear()
                self._write_queue()
                self._expire()
            self._write_queue()
        except BaseException as error:
            # The service predicts on; from now on the queue is full.
            self._metrics.event_store_problem.set(1)
            log(logging.CRITICAL, "Events are no longer stored.", error=error)
        finally:
            self._store.close()

    def _prepare(self) -> None:
        try:
            self._store.make()
        except StoreError as error:
            self._show_problem(error)

    def _write_queue(self) -> None:
        """Write what waits now; what comes meanwhile is gathered, and written with what follows."""
        self.gather()
        with self._lock:
            packed = [each for of_model in self._packed.values() for each in of_model]
            answers, self._answers = self._answers, []
            self._packed = {}
            self._queued = self._queued_bytes = 0
        self._write([*packed, *answers])

    def _write(self, entries: Sequence[Entry]) -> None:
        """Write entries, however long that takes; when the writer is to end, try once."""
        while entries:
            try:
                self._store.add(entries)
            except RecordError as error:
                self._refused(entries, error)
                return
            except StoreError as error:
                self._show_problem(error)
                if self._stop.wait(self._retry_s):
                    for entry in entries:
                        self._lose(entry.model, "store", _count(entry))
                    return
                continue
            self._has_written(entries)
            return

    def _refused(self, entries: Sequence[Entry], error: RecordError) -> None:
        """Write them in ever smaller parts, to lose only those that are refused."""
        if len(entries) == 1 and isinstance(entries[0], PackedRequests):
            entries = list(unpack_records(entries[0].model, entries[0].to_bytes(), _is_any))
        if len(entries) > 1:
            by_model: dict[str, list[Entry]] = {}
            for entry in entries:
                by_model.setdefault(entry.model, []).append(entry)
            half = len(entries) // 2
            # A model may have values that are never stored: others' requests stay together.
            parts = [*by_model.values()] if len(by_model) > 1 else [entries[:half], entries[half:]]
            for part in parts:
                self._write(part)
            return
        (entry,) = entries
        assert not isinstance(entry, PackedRequests)
        self._lose(entry.model, "record")
        log(logging.ERROR, str(error), model=entry.model, request_id=entry.request_id)

    def _has_written(self, entries: Sequence[Entry]) -> None:
        stored: Counter[tuple[str, Reason]] = Counter()
        for entry in entries:
            if isinstance(entry, PackedRequests):
                stored.update({(entry.model, why): n for why, n in entry.reasons.items()})
            elif isinstance(entry, EventRecord):
                stored[entry.model, entry.reason] += 1
        for (model, reason), count in stored.items():
            self._metrics.events.labels(model, str(reason)).inc(count)
        self._end_problem()

    def _expire(self) -> None:
        if time.monotonic() < self._next_expiry or self._stop.is_set():
            return
        self._next_expiry = time.monotonic() + _EXPIRE_S
        try:
            self._store.expire(self._most_age_s, self._most_bytes)
            self._end_problem()
        except StoreError as error:
            self._show_problem(error)

    def _lose(self, model: str, reason: str, count: int = 1) -> None:
        self._metrics.events_lost.labels(model, reason).inc(count)

    def _show_problem(self, error: StoreError) -> None:
        if not self._has_problem:
            self._has_problem = True
            self._metrics.event_store_problem.set(1)
            log(logging.ERROR, f"The event store cannot be used. {error}")

    def _end_problem(self) -> None:
        if self._has_problem:
            self._has_problem = False
            self._metrics.event_store_problem.set(0)
            log(logging.INFO, "The event store can be used again.")


def _count(entry: Entry) -> int:
    return len(entry) if isinstance(entry, PackedRequests) else 1


def _is_any(*_: object) -> bool:
    return True
