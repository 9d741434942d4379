"""A Ray cluster, as far as trainings need one: tasks by name, and how each of them ended.

Placement, retries, resources and logs are Ray's. Understudy is installed on every node.
"""

import logging
import signal
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from training.errors import TrainingError, UsageError

# How often Ray begins a task anew whose node or process was lost.
_RETRIES = 3
# Seconds in which a cluster's machine takes a connection.
_CONNECT_S = 10.0
# Seconds for which an interrupted task may put away what it has.
_END_S = 30.0
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class LostTask:
    """The result of a task that Ray could not finish.

    Attributes:
        why: a sentence.
    """

    why: str


class RayCluster:
    """The tasks that this process has begun on a cluster; ``ray_cluster`` makes it."""

    def __init__(self, ray: ModuleType) -> None:
        self._ray = ray
        self._names: dict[Any, str] = {}

    def hosts(self) -> set[str]:
        """Return the names of the machines, or containers, that nodes of the cluster run on."""
        return {node["NodeManagerHostname"] for node in self._ray.nodes() if node["Alive"]}

    def begin(self, name: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Let a node call a function, as soon as one has a processor to spare.

        Args:
            name: the task's, here and in Ray's lists and logs.
            function: of a module; what it raises but ``KeyboardInterrupt`` is a fault.
            arguments: the function's. Paths among them count from where a node's process runs.
        """
        # A process of its own for each task, because a seed sets what is global in a process.
        remote = self._ray.remote(max_calls=1, max_retries=_RETRIES)(_call)
        self._names[remote.options(name=name).remote(function, arguments)] = name

    @property
    def is_idle(self) -> bool:
        """Whether ``ended`` has returned every task."""
        return not self._names

    def ended(self, timeout_s: float | None = None) -> list[tuple[str, Any]]:
        """Wait until a task has ended, and return its name and what its function returned.

        Args:
            timeout_s: seconds after which nothing is returned; ``None`` waits for ever.

        Returns:
            at most one; a ``LostTask`` in place of a result says why there is none.
        """
        ended, _ = self._ray.wait(list(self._names), num_returns=1, timeout=timeout_s)
        return [(self._names.pop(each), self._result(each)) for each in ended]

    def interrupt(self) -> None:
        """Interrupt all tasks, as Ctrl-C does a process, and wait for their end; not for ever."""
        tasks = list(self._names)
        self._names.clear()
        for task in tasks:
            self._ray.cancel(task)
        if tasks:
            self._ray.wait(tasks, num_returns=len(tasks), timeout=_END_S)

    def _result(self, task: Any) -> Any:
        try:
            return self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            # What a node said, below the trace of its calls.
            return LostTask(f"It failed on its node: {_line(error, -1)}.")
        except self._ray.exceptions.RayError as error:
            return LostTask(f"Ray lost it: {_line(error, 0)}.")


@contextmanager
def ray_cluster(address: str) -> Iterator[RayCluster]:
    """Connect with a cluster; when the block ends, what still runs is interrupted.

    Args:
        address: ``auto`` for the cluster of this machine, ``HOST:PORT``, or ``ray://HOST:PORT``.

    Raises:
        UsageError: Ray is not installed.
        TrainingError: there is no cluster at the address, or not any more.
    """
    ray = _installed()
    try:
        _require_listener(address)
        # What Ray warns of, its error says again.
        with warnings.catch_warnings(action="ignore"):
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        raise TrainingError(f"There is no Ray cluster at {address}: {_line(error, 0)}.") from error
    cluster = RayCluster(ray)
    try:
        yield cluster
    except ConnectionError as error:
        raise TrainingError(
            f"The Ray cluster at {address} is gone: {_line(error, 0)}. Run the same command to "
            "continue."
        ) from error
    finally:
        try:
            cluster.interrupt()
        finally:
            # Ends what has not ended.
            ray.shutdown()


def _installed() -> ModuleType:
    try:
        return import_module("ray")
    except ImportError as error:
        raise UsageError(
            "--on takes Ray, which is not installed here: pip install 'understudy[ray]'."
        ) from error


def _require_listener(address: str) -> None:
    """Check that something listens at an address; Ray itself tries for minutes.

    Raises:
        OSError: nothing does.
        ValueError: it has no port.
    """
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        raise ValueError("expected auto, HOST:PORT or ray://HOST:PORT")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    # Ray interrupts by SIGINT, which what a shell starts in the background ignores.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return function(*arguments)


def _line(error: Exception, which: int) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[which]
    return text[:_LONGEST_REASON].rstrip(". ")
