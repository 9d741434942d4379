"""What a service has of events: who is sampled, the writer of this worker, and the store."""

import logging
from collections import defaultdict, deque
from collections.abc import Callable
from time import time

from service.events.event_records import AnsweredRequest, size_of
from service.events.event_store import EventStore
from service.events.event_store_location import open_database
from service.events.event_writer import LOSSES, EventWriter
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
        # With the inputs as the model got them.
        self._noted: deque[tuple[AnsweredRequest, Tensors]] = deque()
        writer.gather = self._pass_on

    def follow_policy(self, model: str, policy: Policy) -> None:
        """Let a model's policy be in force, as it was read just now."""
        self.rates[model] = policy.events or self._default
        for reason in LOSSES:
            # Counted from 0, so that Prometheus sees the first as an increase.
            self.metrics.events_lost.labels(model, reason)

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
            included = inclusion(self.rates[model], request_id, status, outputs)
            if included is None:
                return
            size = size_of(inputs) + size_of(outputs)
            request = AnsweredRequest(
                model,
                version,
                signature,
                request_id,
                time(),
                status,
                instances,
                inputs,
                outputs,
                included,
                size,
            )
        except Exception as error:
            # The others of its batch are still to be answered.
            self._lose(model, error)
            return
        self._noted.append((request, inputs if prepared is None else prepared))
        if len(self._noted) >= _AT_ONCE or size > _LARGE_BYTES:
            self._pass_on()
        else:
            self.writer.wake()

    def _pass_on(self) -> None:
        """Hand what was noted to the writer and to observers; any thread may."""
        while self._noted:
            try:
                request, prepared = self._noted.popleft()
            except IndexError:
                return  # Another thread was quicker.
            try:
                self.writer.put(request)
                observe = self.observers.get(request.model)
                if observe is not None:
                    observe(request, prepared)
            except Exception as error:
                self._lose(request.model, error)

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
