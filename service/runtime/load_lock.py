"""Which worker may load which version now: one after the other, and only some at once.

So predictions keep their processors. A worker that does not respond delays no other, and one that
loads for long delays only those that wait for the same version.
"""

import time
from collections.abc import Mapping
from typing import Any

from service.runtime.worker_members import WorkerMembers

# How many versions all workers together load at once, so that cores and memory are left for what
# serves; and after how long a load no longer counts, so that slow ones do not hold up the others.
_LOADS_AT_ONCE = 2
_SLOW_LOAD_S = 10.0
# A load that only warms up and proves itself has its memory already; it lets others pass sooner.
_SLOW_RUN_S = 1.0

_LOADS = "loads.json"


class LoadLock:
    """The right to load versions, which the workers of one service share."""

    def __init__(self, members: WorkerMembers) -> None:
        """The lock that these members share."""
        self._members = members

    def take(self, model: str, version: int) -> bool:
        """Whether this worker may load a version now; it must then give the lock back."""
        mine = {"worker": self._members.name, "model": model, "version": version}
        now = time.monotonic()
        with self._members.locked():
            living = self._members.attentive()
            loads = [load for load in self._read() if load["worker"] in living]
            same = any((each["model"], each["version"]) == (model, version) for each in loads)
            if same or sum(_is_hurried(load, now) for load in loads) >= _LOADS_AT_ONCE:
                return False
            self._members.write(_LOADS, [*loads, {**mine, "since": now}])
            return True

    def note_run(self, model: str, version: int) -> None:
        """Note that a version which this worker loads is loaded, and runs now."""
        with self._members.locked():
            loads = self._read()
            for load in loads:
                if self._is_mine(load, model, version):
                    load["runs_since"] = time.monotonic()
            self._members.write(_LOADS, loads)

    def holders(self) -> list[tuple[str, int]]:
        """Return the models and versions that living workers load now."""
        living = self._members.living()
        loads = [load for load in self._read() if load["worker"] in living]
        return sorted({(load["model"], load["version"]) for load in loads})

    def release(self, model: str, version: int) -> None:
        """Let others load."""
        with self._members.locked():
            others = [load for load in self._read() if not self._is_mine(load, model, version)]
            self._members.write(_LOADS, others)

    def _read(self) -> list[dict[str, Any]]:
        loads: list[dict[str, Any]] = self._members.read(_LOADS, [])
        return loads

    def _is_mine(self, load: Mapping[str, Any], model: str, version: int) -> bool:
        mine = (self._members.name, model, version)
        return (load["worker"], load["model"], load["version"]) == mine


def _is_hurried(load: Mapping[str, Any], now: float) -> bool:
    """Whether others wait for a load: not when it takes long."""
    if "runs_since" in load and now - load["runs_since"] >= _SLOW_RUN_S:
        return False
    return bool(now - load["since"] < _SLOW_LOAD_S)
