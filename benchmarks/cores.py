"""Which processors the service has, and which the load, so that neither takes from the other."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from benchmarks.errors import BenchmarkError


def halves(cores: Collection[int]) -> tuple[list[int], list[int]]:
    """Divide processors between the service and the load.

    Raises:
        BenchmarkError: there is only one.
    """
    if len(cores) < 2:
        raise BenchmarkError("An open loop takes a processor beside the service's.")
    half = len(cores) // 2
    return sorted(cores)[:half], sorted(cores)[half:]


@contextmanager
def on_cores(cores: Collection[int]) -> Iterator[None]:
    """Let processes that are started meanwhile run on these processors alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
