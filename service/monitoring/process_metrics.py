"""What the processes of the service use: memory, CPU, open files, threads, and Python's collector.

prometheus_client's own collectors of these know nothing of several processes. Each worker shows its
own here, under the names that they have there and with its process id as a label; they end with it.
"""

import contextlib
import gc
import os
import platform
import resource
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

from service.monitoring.prometheus_internals import LiveCounter

# Between looks: what they show changes slowly, and Prometheus asks every 15 s or so.
_LOOK_S = 5.0
_OWN = Path("/proc/self")


class ProcessMetrics:
    """What this process uses; ``show`` is called by one thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Metrics without series before ``show``, so that only workers have series."""

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, ["worker"], multiprocess_mode="livesum", registry=registry)

        self._resident = gauge(
            "process_resident_memory_bytes", "Resident memory of a worker, shared pages included."
        )
        self._virtual = gauge("process_virtual_memory_bytes", "Virtual memory of a worker.")
        self._open_fds = gauge("process_open_fds", "Open file descriptors of a worker.")
        self._max_fds = gauge("process_max_fds", "The most file descriptors a worker may open.")
        self._threads = gauge("process_threads", "Threads of a worker.")
        self._start = gauge(
            "process_start_time_seconds", "When a worker was started, in seconds since the epoch."
        )
        self._cpu = LiveCounter(
            "process_cpu_seconds",
            "Seconds that a worker spent on processors.",
            ["worker"],
            registry=registry,
        )
        self._collections, self._collected, self._uncollectable = (
            LiveCounter(name, text, ["worker", "generation"], registry=registry)
            for name, text in (
                ("python_gc_collections", "Runs of Python's garbage collector."),
                ("python_gc_objects_collected", "Objects that the garbage collector freed."),
                ("python_gc_objects_uncollectable", "Objects that it found and could not free."),
            )
        )
        self._info = Gauge(
            "python_info",
            "1 for the Python that runs.",
            ["implementation", "version"],
            multiprocess_mode="max",
            registry=registry,
        )
        self._next_look = 0.0

    def show(self) -> None:
        """Show what the process uses now, unless that was done a moment ago."""
        now = time.monotonic()
        if now < self._next_look:
            return
        if not self._next_look:
            self._info.labels(platform.python_implementation(), platform.python_version()).set(1)
        self._next_look = now + _LOOK_S
        worker = str(os.getpid())
        self._cpu.labels(worker).set_to(time.process_time())
        self._max_fds.labels(worker).set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        for number, found in enumerate(gc.get_stats()):
            labels = (worker, str(number))
            self._collections.labels(*labels).set_to(found["collections"])
            self._collected.labels(*labels).set_to(found["collected"])
            self._uncollectable.labels(*labels).set_to(found["uncollectable"])
        # Only Linux has the rest.
        with contextlib.suppress(OSError):
            self._show_linux(worker)

    def _show_linux(self, worker: str) -> None:
        # The name before it may have blanks; see proc(5) for the numbers of the fields.
        fields = (_OWN / "stat").read_text().rpartition(")")[2].split()
        self._threads.labels(worker).set(int(fields[17]))
        self._virtual.labels(worker).set(int(fields[20]))
        self._resident.labels(worker).set(int(fields[21]) * resource.getpagesize())
        if hasattr(time, "CLOCK_BOOTTIME"):
            started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
            age = time.clock_gettime(time.CLOCK_BOOTTIME) - started
            self._start.labels(worker).set(round(time.time() - age, 2))
        # Newer kernels count them themselves.
        count = (_OWN / "fd").stat().st_size or len(os.listdir(_OWN / "fd"))
        self._open_fds.labels(worker).set(count)
