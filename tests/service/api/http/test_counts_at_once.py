"""What the event loop has counted is shown to whoever asks in the same turn."""

import asyncio
from typing import Any, cast

from service.api.http.request_context import RequestObserver
from service.monitoring.prometheus_metrics import Metrics


class TurnThatGoesOn:
    """A loop that reads its sockets before it calls what was to be called soon, as uvloop may."""

    def call_soon(self, *_: Any) -> None:
        pass


def in_flight(metrics: Metrics) -> float:
    (found,) = (s.value for s in metrics.samples() if s.name == "understudy_requests_in_flight")
    return found


def test_counts_are_handed_on_before_the_turn_ends() -> None:
    metrics = Metrics()
    loop = cast(asyncio.AbstractEventLoop, TurnThatGoesOn())
    observer = RequestObserver(metrics, access_log=False).on_loop(loop)
    context = observer.begin({}, "client")
    assert in_flight(metrics) == 0
    observer.flush_counts()
    assert in_flight(metrics) == 1
    observer.end(context)
    observer.flush_counts()
    assert in_flight(metrics) == 0


def test_an_observer_without_a_loop_counts_at_once() -> None:
    metrics = Metrics()
    observer = RequestObserver(metrics, access_log=False)
    observer.begin({}, "client")
    observer.flush_counts()
    assert in_flight(metrics) == 1
