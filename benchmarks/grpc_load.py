"""The load of gRPC: h2load, which sends a message again and again for a small part of one core."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np

from benchmarks.errors import BenchmarkError
from benchmarks.load import Load, allow_connections

# What h2load may take beyond the time that it was told.
_GRACE_S = 30
_HEADERS = ("content-type: application/grpc", "te: trailers")


def require_h2load() -> str:
    """Return h2load's version.

    Raises:
        BenchmarkError: it is not installed.
    """
    if shutil.which("h2load") is None:
        raise BenchmarkError("h2load is not installed; on Debian: apt-get install nghttp2-client.")
    said = subprocess.run(["h2load", "--version"], capture_output=True, text=True, timeout=_GRACE_S)
    return said.stdout.strip().rpartition("/")[2]


def framed(message: bytes) -> bytes:
    """Return a message as it travels in a call: after its length."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def run_h2load(url: str, body: Path, *, answer_bytes: int, streams: int, seconds: int) -> Load:
    """Call a method again and again, and return what came of it.

    Args:
        url: of the method; on this machine.
        body: the file with the framed request.
        answer_bytes: how many bytes the framed answer has; calls that fail have none.
        streams: how many connections are kept open, each with one call at a time.
        seconds: for how long.

    Raises:
        BenchmarkError: h2load failed.
    """
    allow_connections(streams)
    log = body.with_suffix(".log")
    log.unlink(missing_ok=True)
    command = [
        "h2load",
        "--threads=1",
        f"--clients={streams}",
        "--max-concurrent-streams=1",
        f"--duration={seconds}",
        f"--data={body}",
        f"--log-file={log}",
        *(f"--header={header}" for header in _HEADERS),
        url,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + _GRACE_S)
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"h2load did not end after {seconds + _GRACE_S} s.") from error
    times = log.read_text() if log.exists() else ""
    return parse_h2load(done.stdout + done.stderr, times, answer_bytes)


def parse_h2load(output: str, log: str, answer_bytes: int) -> Load:
    """Read what h2load prints, and its log with a line for each request.

    Raises:
        BenchmarkError: it measured nothing.
    """
    time = re.search(r"finished in ([\d.]+)(m?s),", output)
    counts = re.search(r"(\d+) done, \d+ succeeded, (\d+) failed, (\d+) errored", output)
    data = re.search(r"\((\d+)\) data", output)
    took_us = [int(line.split("\t")[2]) for line in log.splitlines()]
    if time is None or counts is None or data is None or not took_us:
        raise BenchmarkError(f"h2load measured nothing: {output.strip()[-300:]}")
    requests, failed, errored = map(int, counts.groups())
    # A call that fails is answered 200 all the same, without a message.
    answered = min(requests, int(data[1]) // answer_bytes)
    failures = {"status": requests - answered, "failed": failed, "errored": errored}
    p50, p99 = np.percentile(took_us, (50, 99)) / 1e3
    return Load(
        requests=requests,
        seconds=float(time[1]) / (1000 if time[2] == "ms" else 1),
        p50_ms=float(p50),
        p99_ms=float(p99),
        failed={kind: count for kind, count in failures.items() if count},
    )
