"""One measurement: a server under a case's load, for some seconds."""

import resource
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import procfs
from benchmarks.errors import BenchmarkError
from benchmarks.load import NO_HEADERS, Load, run_wrk
from benchmarks.process import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one server did in one round of one case.

    Attributes:
        requests: requests that were answered with success.
        seconds: how long the load lasted.
        p50_ms: the median latency.
        p99_ms: the latency that 99 of 100 requests stayed under.
        cpu_s: processor time of the server's process tree.
        elsewhere: the share, 0 to 1, of the machine's processor time that went neither to the
            server nor to the load.
        failed: how many requests failed, by what.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_s: float
    elsewhere: float
    failed: Mapping[str, int]

    @property
    def requests_per_s(self) -> float:
        return self.requests / self.seconds

    @property
    def cpu_us_per_request(self) -> float:
        return self.cpu_s * 1e6 / self.requests


def measure(
    server: Server,
    path: str,
    body: Path,
    *,
    connections: int,
    seconds: int,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Measurement:
    """Load a server and measure it.

    Args:
        server: a server that is ready.
        path: where to post.
        body: the file to post.
        connections: how many send at a time.
        seconds: for how long.
        headers: further headers of each request.

    Raises:
        BenchmarkError: the server ended, or answered nothing with success.
    """
    return measure_load(
        server,
        lambda: run_wrk(
            server.url(path), body, connections=connections, seconds=seconds, headers=headers
        ),
    )


def measure_load(server: Server, load: Callable[[], Load]) -> Measurement:
    """Measure a server under a load.

    Args:
        server: a server that is ready.
        load: loads it with processes of its own, waits for them, and returns what came of it.

    Raises:
        BenchmarkError: the server ended, or answered nothing with success.
    """
    server.require_running()
    machine, own = procfs.machine_time(), procfs.cpu_seconds(server.pid)
    of_load = children_seconds()
    result = load()
    cpu_s = procfs.cpu_seconds(server.pid) - own
    after = procfs.machine_time()
    server.require_running()
    answered = result.requests - result.failed.get("status", 0)
    if answered <= 0:
        raise BenchmarkError(f"{server.name} answered no request with success: {result.failed}.")
    return Measurement(
        requests=answered,
        seconds=result.seconds,
        p50_ms=result.p50_ms,
        p99_ms=result.p99_ms,
        cpu_s=cpu_s,
        elsewhere=share_elsewhere(machine, after, cpu_s + children_seconds() - of_load),
        failed=result.failed,
    )


def share_elsewhere(
    before: procfs.MachineTime, after: procfs.MachineTime, accounted_s: float
) -> float:
    """Return the share of the machine's time that was busy and is not accounted for, 0 to 1."""
    total = after.total_s - before.total_s
    busy = after.busy_s - before.busy_s
    return min(1.0, max(0.0, (busy - accounted_s) / total)) if total > 0 else 0.0


def children_seconds() -> float:
    """Return the processor time of children that have ended: between two calls, of the load."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
