"""A load at a constant rate: h2load, an event loop in C that takes a small part of one core.

k6 needs more processor time a request than the service; h2load (nghttp2) sends each client's
requests by the clock over HTTP/1.1 as well, and writes down when each began and how long it took.
Clients that connect at once would send at the same moments for ever, so they connect one by one.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.errors import BenchmarkError
from benchmarks.load import Load, allow_connections

# What h2load may take beyond the time that it is given.
_GRACE_S = 30
# Between two clients' first requests: a prime, which few clients' periods are a multiple of, so
# that the moments at which the clients send lie evenly over a period.
_APART_MS = 7


def require_h2load() -> str:
    """Return h2load's version.

    Raises:
        BenchmarkError: it is not installed.
    """
    if shutil.which("h2load") is None:
        raise BenchmarkError("h2load is not installed; on Debian: apt-get install nghttp2-client.")
    done = subprocess.run(["h2load", "--version"], capture_output=True, text=True, timeout=_GRACE_S)
    found = re.search(r"nghttp2/(\S+)", done.stdout)
    return found.group(1) if found else "unknown"


def run_h2load(url: str, body: Path, *, rate: float, connections: int, seconds: int) -> Load:
    """Post a file at a constant rate, and return what came of it.

    Args:
        url: where to; on this machine.
        body: the file.
        rate: requests per second, of all connections together.
        connections: how many send, each one request at a time and none before it is due.
        seconds: for how long.

    Raises:
        BenchmarkError: h2load failed, sent nothing in that time, or so many connections are not
            allowed.
    """
    allow_connections(connections)
    start_s = connections * _APART_MS / 1e3
    each = round((start_s + seconds) * rate / connections)
    with tempfile.TemporaryDirectory(prefix="h2load-") as folder:
        log = Path(folder) / "log"
        command = [
            *("h2load", "--h1", f"--clients={connections}", f"--requests={each * connections}"),
            *("--rate=1", f"--rate-period={_APART_MS}ms", f"--rps={rate / connections:.3f}"),
            *(f"--data={body}", f"--log-file={log}"),
            *("--header=Content-Type: application/json", url),
        ]
        most_s = 2 * start_s + seconds + _GRACE_S
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=most_s)
        except subprocess.TimeoutExpired as error:
            raise BenchmarkError(f"h2load did not end after {most_s:.0f} s.") from error
        lines = log.read_text().splitlines() if log.is_file() else []
    if not lines:
        raise BenchmarkError(f"h2load measured nothing: {(done.stderr or done.stdout)[-300:]}")
    return parse_log(lines, start_s, seconds)


def parse_log(lines: Sequence[str], start_s: float, seconds: float) -> Load:
    """Read h2load's log: a line a request with its start, status and duration in microseconds.

    Args:
        lines: the log.
        start_s: how long after the first request all clients sent.
        seconds: for how long they did; what began before or after does not count.
    """
    began, status, took = np.array([line.split("\t") for line in lines], np.int64).T
    since_s = (began - began.min()) / 1e6
    counts = (start_s <= since_s) & (since_s < start_s + seconds)
    if not counts.any():
        raise BenchmarkError("h2load sent nothing once all of its clients had connected.")
    failed = int((status[counts] != 200).sum())
    p50_ms, p99_ms = np.percentile(took[counts] / 1e3, [50, 99])
    return Load(
        requests=int(counts.sum()),
        seconds=seconds,
        p50_ms=float(p50_ms),
        p99_ms=float(p99_ms),
        failed={"status": failed} if failed else {},
    )
