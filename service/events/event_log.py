"""What a service has of events: who is sampled, the writer of this worker, and the store."""

import logging
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from time import time
from typing import Protocol

from service.events.event_records import AnsweredRequest
from service.events.event_store import EventStore
from service.events.event_store_location import open_database
from service.events.event_writer import LOSSES, EventWriter
from service.events.sampling import drawn
from service.monitoring.logs import log
from service.monitoring.prometheus_metrics import Metrics
from service.repository.event_rates import EventRates
from service.repository.golden_examples import Tensors
from service.repository.model_policy import Policy
from service.settings.settings import Settings

_DAY_S = 86_400
# So many requests are passed on to the writer at once; fewer when one is large or when it writes.
_AT_ONCE = 32
_LARGE_BYTES = 16 * 1024

# Called with a sampled request, and its inputs as the model got them; never waits.
ObserveSampled = Callable[[AnsweredRequest, Tensors], None]


class AnsweredPrediction(Protocol):
    """A prediction that has been answered.

    Attributes:
        model: the model's name.
        body_bytes: the length of the request's body.
        inputs: an array for each input, as the model got them.
    """

    @property
    def model(self) -> str: ...
    @property
    def body_bytes(self) -> int: ...
    @property
    def inputs(self) -> Tensors: ...

    def to_event(
        self,
        rates: Mapping[str, EventRates],
        request_id: str,
        answered_at: float,
        status: int,
        outputs: Tensors | None,
    ) -> AnsweredRequest | None:
        """Return what is stored of it; ``None`` if it was not valid, or is not in the sample."""


# A request's id, the prediction, the HTTP status of its answer, and the outputs if it has any.
Answered = tuple[str, AnsweredPrediction, int, Tensors | None]


class EventLog:
    """Samples answered requests into the store.

    Attributes:
        store: where they are.
        writer: puts them there.
        metrics: where events and feedback are counted.
        rates: those in force, by the model's name.
        bound: the largest of their bounds; every request is compared with it.
        observers: are shown the requests of a model that are stored, by the model's name.
    """

    def __init__(
        self,
        store: EventStore,
        writer: EventWriter,
        metrics: Metrics,
        default: EventRates,
    ) -> None:
        """A log that has seen no request and no policy yet.

        Args:
            store: where requests are stored.
            writer: puts them there.
            metrics: where events and feedback are counted.
            default: the rates of models whose policy has no ``events``.
        """
        self.store = store
        self.writer = writer
        self.metrics = metrics
        self.observers: dict[str, ObserveSampled] = {}
        self.rates: defaultdict[str, EventRates] = defaultdict(lambda: default)
        self.bound = default.bound
        self._default = default
        # When they were answered, and the requests of one turn.
        self._noted: deque[tuple[float, list[Answered]]] = deque()
        self._count = 0
        writer.gather = self._pass_on

    def follow_policy(self, model: str, policy: Policy) -> None:
        """Apply the event rates of a model's policy, which was just read."""
        self.rates[model] = policy.events or self._default
        self.bound = max(each.bound for each in (self._default, *self.rates.values()))
        for reason in LOSSES:
            # Counted from 0, so that Prometheus sees the first as an increase.
            self.metrics.events_lost.labels(model, reason)

    def see(self, answered: Sequence[Answered]) -> None:
        """Store those of the answered requests that are in the sample; never waits.

        Sampled requests are passed on in groups, which takes a third of the time that passing on
        each alone takes.

        Args:
            answered: of each its id, the prediction, the HTTP status of its answer, and an array
                for each output; ``None`` where it failed.
        """
        sampled = drawn(answered, self.bound)
        if not sampled:
            return
        self._noted.append((time(), sampled))
        self._count += len(sampled)
        if self._count >= _AT_ONCE or any(map(_is_large, sampled)):
            self._pass_on()
        self.writer.wake()

    def _pass_on(self) -> None:
        """Hand what was noted to the writer and to observers; any thread may."""
        # A little off where several threads do so at once.
        self._count = 0
        requests: list[AnsweredRequest] = []
        inputs: list[Tensors] = []
        while self._noted:
            try:
                at, sampled = self._noted.popleft()
            except IndexError:
                break  # Another thread was quicker.
            for request_id, prediction, status, outputs in sampled:
                try:
                    request = prediction.to_event(self.rates, request_id, at, status, outputs)
                except Exception as error:
                    # The others are still to be stored.
                    self.writer.lose_refused(prediction.model, error)
                    continue
                if request is not None:
                    requests.append(request)
                    inputs.append(prediction.inputs)
        if requests:
            # First, since what observers make of a request is stored with it.
            self.writer.put(requests)
            for request, prepared in zip(requests, inputs, strict=True):
                self._show(request, prepared)

    def _show(self, request: AnsweredRequest, prepared: Tensors) -> None:
        observe = self.observers.get(request.model)
        if observe is not None:
            try:
                observe(request, prepared)
            except Exception as error:
                # The writer's thread, and the others' answers, must not end with it.
                log(logging.ERROR, "A stored request was not looked at.", error=error)


def _is_large(answered: Answered) -> bool:
    _, prediction, _, outputs = answered
    size = prediction.body_bytes
    if outputs is not None:
        size += sum(tensor.nbytes for tensor in outputs.values())
    return size > _LARGE_BYTES


def event_log_of(settings: Settings, metrics: Metrics) -> EventLog | None:
    """Return what samples requests with these settings; ``None`` where that is off.

    Args:
        settings: the service's.
        metrics: where events are counted.

    Raises:
        StoreError: the setting names no database, or packages for it are missing.
    """
    if not settings.events:
        return None
    store = EventStore(open_database(settings.events))
    writer = EventWriter(
        store,
        metrics,
        most_age_s=settings.events_max_days * _DAY_S,
        most_bytes=settings.events_max_bytes,
    )
    return EventLog(store, writer, metrics, EventRates(settings.events_rate))
