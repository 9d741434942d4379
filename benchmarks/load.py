"""The load: wrk, an event loop in C that takes a small part of one core.

A load tool in Python would need more processor time a request than most of the servers here.
"""

import json
import re
import resource
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from benchmarks.errors import BenchmarkError

_SCRIPT = Path(__file__).with_name("post.lua")
_TIMEOUT_S = 10
# What a process opens beside its connections, generously.
_OTHER_FILES = 64
# What wrk may take beyond the time that it was told.
_GRACE_S = 30
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw.

    Attributes:
        requests: requests that were answered, whatever the status.
        seconds: how long it took.
        p50_ms: the median latency.
        p99_ms: the latency that 99 of 100 requests stayed under.
        failed: how many failed, by what: connect, read, write, status, timeout.
    """

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failed: Mapping[str, int]


def require_wrk() -> str:
    """Return wrk's version.

    Raises:
        BenchmarkError: it is not installed.
    """
    if shutil.which("wrk") is None:
        raise BenchmarkError("wrk is not installed; on Debian: apt-get install wrk.")
    # It prints its usage after its version, and fails.
    said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, timeout=_GRACE_S)
    found = re.search(r"wrk (?:\w+/)?(\S+)", said.stdout + said.stderr)
    return found.group(1) if found else "unknown"


def run_wrk(
    url: str, body: Path, *, connections: int, seconds: int, headers: Mapping[str, str] = NO_HEADERS
) -> Load:
    """Post a file again and again, and return what came of it.

    Args:
        url: where to; on this machine.
        body: the file.
        connections: how many are kept open, each with one request at a time.
        seconds: for how long.
        headers: further headers.

    Raises:
        BenchmarkError: wrk failed, or so many connections are not allowed.
    """
    allow_connections(connections)
    command = [
        "wrk",
        "--threads=1",
        f"--connections={connections}",
        f"--duration={seconds}s",
        f"--timeout={_TIMEOUT_S}s",
        f"--script={_SCRIPT}",
        url,
        str(body),
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + _GRACE_S)
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"wrk did not end after {seconds + _GRACE_S} s.") from error
    return parse_wrk(done.stdout, done.stderr)


def allow_connections(count: int) -> None:
    """Raise this process's limit of open files, which its children inherit, as far as needed.

    Raises:
        BenchmarkError: the machine does not allow so many.
    """
    needed = count + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != soft < needed:
        if resource.RLIM_INFINITY != hard < needed:
            raise BenchmarkError(f"{count:,} connections need `ulimit -n {needed}`; it is {hard}.")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def parse_wrk(output: str, errors: str = "") -> Load:
    """Read the line that ``post.lua`` prints.

    Raises:
        BenchmarkError: it is not there.
    """
    for line in output.splitlines():
        if line.startswith("MEASURED "):
            measured = json.loads(line.removeprefix("MEASURED "))
            return Load(
                requests=measured["requests"],
                seconds=measured["microseconds"] / 1e6,
                p50_ms=measured["p50_us"] / 1e3,
                p99_ms=measured["p99_us"] / 1e3,
                failed={kind: count for kind, count in measured["failed"].items() if count},
            )
    raise BenchmarkError(f"wrk measured nothing: {(errors or output).strip()[-300:]}")
