"""How many processor cores this process may use."""

import math
import os
import sys
from pathlib import Path


def usable_cores() -> int:
    """Count the cores that this process may use, not those that the machine has."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, container_cores(Path("/sys/fs/cgroup"))))


def container_cores(cgroup: Path) -> int:
    """Return how many cores a container's limit comes to, rounded up; a great many without one.

    Args:
        cgroup: the folder of the kernel's control groups, of version 2 or 1.
    """
    for files in (["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]):  # v2, v1
        try:
            quota, period = " ".join((cgroup / file).read_text() for file in files).split()
            if int(quota) > 0:
                return math.ceil(int(quota) / int(period))
        except (OSError, ValueError):
            continue  # Not this version's files; or "max", which is no limit, as -1 is.
    return sys.maxsize
