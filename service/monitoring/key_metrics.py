"""Requests by the names of their API keys; the series of keys that are gone end after a while."""

import time
from collections.abc import Set
from typing import Protocol

from prometheus_client import Counter

from service.monitoring import metric_values
from service.monitoring.series_groups import key_group

# Names with series of their own; further ones share one.
_MOST_NAMES = 1000
_OTHER_NAMES = "(others)"
# How long a key that is gone is still shown, so that its last counts are scraped.
_SHOWN_S = 120.0


class _Counted(Protocol):
    def inc(self, amount: float = 1) -> None: ...


class KeyMetrics:
    """Counts requests by the names of their keys, in one process."""

    def __init__(self, requests: Counter) -> None:
        """Metrics that have counted no request.

        Args:
            requests: the counter, by name and result.
        """
        self._requests = requests
        self._counters: dict[tuple[str, str], _Counted] = {}
        self._names: set[str] = set()
        self._in_force: Set[str] = frozenset()
        # Since when names are in force no more; others may have counted them.
        self._ended: dict[str, float] = {}

    def count(self, name: str, result: str) -> None:
        """Count a request.

        Args:
            name: of its key; empty where it is not known.
            result: ok, limited, refused or missing.
        """
        counter = self._counters.get((name, result))
        if counter is None:
            counter = self._counter(name, result)
        counter.inc()

    def follow(self, names: Set[str]) -> None:
        """Note which names are in force from now on; a name that is back continues its count."""
        now = time.monotonic()
        ended = {name: since for name, since in self._ended.items() if name not in names}
        self._ended = ended | dict.fromkeys(self._in_force - names, now)
        self._in_force = names

    def tidy(self) -> None:
        """End the series of keys that have been gone for a while."""
        latest = time.monotonic() - _SHOWN_S
        over = {name for name, since in self._ended.items() if since <= latest}
        if over:
            self._end(over)

    def _end(self, names: Set[str]) -> None:
        shared = metric_values.store()
        if shared is not None and not shared.hand_over(key_group(n) for n in names):
            return  # The next time.
        for name, result in [pair for pair in self._counters if pair[0] in names]:
            del self._counters[name, result]
            self._requests.remove(name, result)
        self._names -= names
        self._ended = {name: at for name, at in self._ended.items() if name not in names}

    def _counter(self, name: str, result: str) -> _Counted:
        if name not in self._names and len(self._names) >= _MOST_NAMES:
            shared: _Counted = self._requests.labels(_OTHER_NAMES, result)
            return shared
        self._names.add(name)
        counter: _Counted = self._requests.labels(name, result)
        self._counters[name, result] = counter
        return counter
