"""What a service has of events: who is sampled, the writer of this worker, and the store."""

import logging
from collections import defaultdict, deque
from collections.abc import Callable
from time import time
from typing import NamedTuple

from service.events.event_records import AnsweredRequest, size_of
from service.events.event_store import EventStore
from service.events.event_store_location import open_database
from service.events.event_writer import EventWriter
from service.events.sampling import inclusion
from service.monitoring.logs import log
from service.monitoring.prometheus_metrics import Metrics
from service.repository.contract import Signature
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


class _Noted(NamedTuple):
    """What ``EventLog.note`` is called with, when that was, and how many bytes the inputs have."""

    model: str
    version: int
    signature: Signature
    request_id: str
    answered_at: float
    status: int
    instances: int
    inputs: Tensors
    outputs: Tensors | None
    prepared: Tensors
    size: int


class EventLog:
    """Samples answered requests into the store.

    Attributes:
        store: where they are.
        writer: puts them there.
        metrics: where events and feedback are counted.
        rates: those in force, by the model's name; every request looks one up.
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
            default: the rates of models whose policy says nothing of events.
        """
        self.store = store
        self.writer = writer
        self.metrics = metrics
        self.observers: dict[str, ObserveSampled] = {}
        self.rates: defaultdict[str, EventRates] = defaultdict(lambda: default)
        self._default = default
        self._noted: deque[_Noted] = deque()
        writer.gather = self._pass_on

    def follow_policy(self, model: str, policy: Policy) -> None:
        """Let a model's policy be in force, as it was read just now."""
        self.rates[model] = policy.events or self._default

    def note(
        self,
        model: str,
        version: int,
        signature: Signature,
        request_id: str,
        status: int,
        instances: int,
        inputs: Tensors,
        outputs: Tensors | None,
        prepared: Tensors | None = None,
    ) -> None:
        """See a request whose answer has left, and store it if it is in the sample; never waits.

        What is seen is passed on by and by: many at once take half as long as each for itself,
        among requests that do something else.

        Args:
            model: the model's name.
            version: the version that answered.
            signature: what was called.
            request_id: its id.
            status: the HTTP status of its answer.
            instances: how many predictions it was for.
            inputs: an array for each input, as it was sent.
            outputs: an array for each output; ``None`` where it failed.
            prepared: the inputs as the model got them, where files among them were prepared.
        """
        try:
            size = size_of(inputs)
        except Exception as error:
            # The others of its batch are still to be answered.
            self._lose(model, error)
            return
        noted = self._noted
        noted.append(
            _Noted(
                model,
                version,
                signature,
                request_id,
                time(),
                status,
                instances,
                inputs,
                outputs,
                inputs if prepared is None else prepared,
                size,
            )
        )
        if len(noted) >= _AT_ONCE or size > _LARGE_BYTES:
            self._pass_on()
        else:
            self.writer.wake()

    def _pass_on(self) -> None:
        """Hand what was noted to the writer; any thread may."""
        while self._noted:
            try:
                noted = self._noted.popleft()
            except IndexError:
                return  # Another thread was quicker.
            try:
                self._pass_on_one(noted)
            except Exception as error:
                self._lose(noted.model, error)

    def _pass_on_one(self, noted: _Noted) -> None:
        model, outputs = noted.model, noted.outputs
        included = inclusion(self.rates[model], noted.request_id, noted.status, outputs)
        if included is None:
            return
        request = AnsweredRequest(
            model,
            noted.version,
            noted.signature,
            noted.request_id,
            noted.answered_at,
            noted.status,
            noted.instances,
            noted.inputs,
            outputs,
            included,
            noted.size + size_of(outputs),
        )
        self.writer.put(request)
        observe = self.observers.get(model)
        if observe is not None:
            observe(request, noted.prepared)

    def _lose(self, model: str, error: Exception) -> None:
        self.metrics.events_lost.labels(model, "record").inc()
        log(logging.ERROR, "A request cannot be stored.", error=error, model=model)


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
