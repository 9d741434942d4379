"""What the figures were taken on: the machine and the versions, without names or paths."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.process import ROOT
from service.settings.usable_cores import usable_cores

_PACKAGES = ("tensorflow", "numpy", "flask", "gunicorn", "fastapi", "pydantic", "uvicorn", "uvloop")
# The distribution's name differs from the module's where only the processor is used.
_OTHER_NAMES = {"tensorflow": "tensorflow-cpu"}


def machine() -> str:
    """Describe the machine in a line."""
    memory_gib = round(_memory_kib() / 1024**2)
    return (
        f"{usable_cores()} cores of {_processor()}, {memory_gib} GiB of memory, "
        f"{platform.system()} {platform.release().split('-')[0]}"
    )


def versions(load: str) -> str:
    """Name the versions of all that takes part, in a line.

    Args:
        load: the program that makes the load, and its version.
    """
    found = [f"Python {platform.python_version()}"]
    found += [f"{name} {_version_of(name)}" for name in _PACKAGES]
    return ", ".join([*found, load])


def commit() -> str:
    """Return the commit that was measured; says so when files differ from it."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", "service")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return f"{head} with changes in service/ that were not committed" if changed else head


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True, timeout=30
    )
    return done.stdout.strip()


def _version_of(name: str) -> str:
    for candidate in (name, _OTHER_NAMES.get(name, name)):
        try:
            return version(candidate)
        except PackageNotFoundError:
            continue
    return "missing"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_kib() -> int:
    first = Path("/proc/meminfo").read_text().splitlines()[0]
    return int(first.split()[1])
