"""The service, which does without one of its parts by turns and counts what its requests cost.

Two processes that do the same differ by some hundredths, and one process differs as much from
itself some seconds later; either is more than what the parts cost that are measured here. So one
worker turns the part off and on many times, and notes the processor time of each turn.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from benchmarks.alternation import PART, TURNS_FILE, Alternating, Turn
from service.api.http import request_context
from service.api.http.request_context import RequestContext, RequestObserver
from service.api.inference.prediction_loop import PredictionLoop
from service.asgi import Application, create_application
from service.events.event_log import ObserveSampled
from service.monitoring.server_timing import server_timing
from service.runtime.batching import ObserveBatch
from service.runtime.traffic_split import Trial

Switch = Callable[[bool], None]


def create_alternating() -> Application:
    """Return the service; from then on the part that ``PART`` names is on and off by turns."""
    application = create_application()
    part = Alternating(os.environ[PART])
    path = Path(os.environ[TURNS_FILE])
    count = _count_requests()
    switch = _SWITCHES[part](application)
    arguments = (part, switch, count, path)
    threading.Thread(target=_take_turns, args=arguments, name="turns", daemon=True).start()
    return application


def _take_turns(part: Alternating, switch: Switch, count: Callable[[], int], path: Path) -> None:
    with path.open("a", buffering=1) as file:
        number = 0
        while True:
            # On, off, off, on: what grows or shrinks steadily falls on both alike.
            is_on = number % 4 in (0, 3)
            switch(is_on)
            time.sleep(part.settles_s)
            before = _now(count)
            time.sleep(part.turn_s)
            after = _now(count)
            cpu_ns, requests = after[1] - before[1], after[2] - before[2]
            file.write(Turn(is_on, before[0], after[0], cpu_ns, requests).to_line())
            number += 1


def _now(count: Callable[[], int]) -> tuple[int, int, int]:
    return time.monotonic_ns(), time.process_time_ns(), count()


def _count_requests() -> Callable[[], int]:
    """Return what says how many requests have been answered."""
    ended, answered = RequestObserver.end, 0

    def end(self: RequestObserver, context: RequestContext) -> None:
        nonlocal answered
        answered += 1
        ended(self, context)

    RequestObserver.end = end  # type: ignore[method-assign]
    return lambda: answered


def _switch_server_timing(_: Application) -> Switch:
    def switch(is_on: bool) -> None:
        request_context.server_timing = (  # type: ignore[attr-defined]
            server_timing if is_on else lambda phases: ""
        )

    return switch


def _switch_keys(_: Application) -> Switch:
    """Without, a request brings its key all the same, and nobody looks at it."""
    admit = PredictionLoop.admit

    def switch(is_on: bool) -> None:
        PredictionLoop.admit = (  # type: ignore[method-assign]
            admit if is_on else lambda self, route, environ: ""
        )

    return switch


def _switch_events(application: Application) -> Switch:
    pipeline = application.flask.extensions["predictions"].pipeline
    events = pipeline.events

    def switch(is_on: bool) -> None:
        pipeline.events = events if is_on else None

    return switch


def _switch_trial(application: Application) -> Switch:
    """What is left of a trial in its turns without is one call for each request."""
    pipeline = application.flask.extensions["predictions"].pipeline
    lifecycle, events, choose = pipeline.lifecycle, pipeline.events, Trial.choose
    shadows: dict[str, ObserveBatch] = {}
    answerers: dict[str, ObserveSampled] = {}

    def switch(is_on: bool) -> None:
        Trial.choose = (  # type: ignore[method-assign]
            choose if is_on else lambda self, request: self.split.champion
        )
        for model in lifecycle.models():
            trial = lifecycle.trial(model)
            if trial is None:
                continue
            with lifecycle.lease(model, trial.split.champion) as champion:
                if is_on:
                    champion.feed.observer = shadows.pop(model, champion.feed.observer)
                elif champion.feed.observer is not None:
                    shadows[model], champion.feed.observer = champion.feed.observer, None
            if events is not None and is_on and model in answerers:
                events.observers[model] = answerers.pop(model)
            elif events is not None and not is_on and model in events.observers:
                answerers[model] = events.observers.pop(model)

    return switch


_SWITCHES: Mapping[Alternating, Callable[[Application], Switch]] = MappingProxyType(
    {
        Alternating.KEYS: _switch_keys,
        Alternating.SERVER_TIMING: _switch_server_timing,
        Alternating.EVENTS: _switch_events,
        Alternating.TRIAL: _switch_trial,
    }
)
