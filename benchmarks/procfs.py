"""What Linux says of processes and of the machine: processor time and memory."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Positions in /proc/<pid>/stat after the name, which may itself hold spaces (proc(5)).
_PARENT = 1
_TIMES = slice(11, 15)
# Positions in the first line of /proc/stat.
_IDLE = (3, 4)
_GUEST = (8, 9)


@dataclass(frozen=True, slots=True)
class MachineTime:
    """Processor time of the whole machine since it started, in seconds over all cores."""

    busy_s: float
    total_s: float


def tree(root: int) -> list[int]:
    """Return the process and all that descend from it; empty when it is gone."""
    parents = {pid: int(fields[_PARENT]) for pid, fields in _all_stats()}
    found = [root] if root in parents else []
    for pid in found:  # Grows while it is walked.
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_seconds(root: int) -> float:
    """Return the processor time of a process tree so far, in user and kernel mode.

    The time of children that have ended is in their parent's; the kernel counts in steps of
    a hundredth of a second for each process.
    """
    stats = dict(_all_stats())
    ticks = sum(sum(map(int, stats[pid][_TIMES])) for pid in tree(root) if pid in stats)
    return ticks / _TICKS_PER_S


def pss_bytes(root: int) -> int:
    """Return the proportional set size of a process tree."""
    return sum(_rollup_bytes(pid, "Pss:") for pid in tree(root))


def resident_bytes(pid: int) -> int:
    """Return the resident set size of one process, what it shares included."""
    return _rollup_bytes(pid, "Rss:")


def anonymous_bytes(pid: int) -> int:
    """Return the proportional set size of what one process has allocated.

    The mapped files are left out: their share depends on who else on the machine maps them.
    """
    return _rollup_bytes(pid, "Pss_Anon:")


def machine_time() -> MachineTime:
    """Return the machine's processor time; what a hypervisor took away counts as busy."""
    line = Path("/proc/stat").read_text().splitlines()[0]
    return parse_machine_time(line)


def parse_machine_time(line: str) -> MachineTime:
    """Read the first line of ``/proc/stat``."""
    ticks = [int(field) for field in line.split()[1:]]
    # Guests' time is in user time already.
    total = sum(ticks) - sum(ticks[i] for i in _GUEST if i < len(ticks))
    idle = sum(ticks[i] for i in _IDLE)
    return MachineTime((total - idle) / _TICKS_PER_S, total / _TICKS_PER_S)


def parse_stat(text: str) -> list[str]:
    """Return the fields of ``/proc/<pid>/stat`` that follow the process's name."""
    return text.rpartition(")")[2].split()


def _all_stats() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                yield int(entry.name), parse_stat((entry / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue  # It has ended since.


def _rollup_bytes(pid: int, key: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))
