"""Latency at a rate that does not depend on the answers: ``python -m benchmarks.open_loop``.

wrk asks over 32 connections for as many requests per second as the service gives (a closed loop).
Then ``random_arrivals.c`` sends a share of that rate whether answers come or not (an open loop), at
random moments, as independent clients do.

A load that shares the processors with the service measures itself as well. So the service runs on
one half of the processors, a worker on each, and the load on the other half, as from another
machine. k6 is no load for this: it takes 100 to 170 us of a processor a request, and its own pauses
are longer than the service's.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.cases import Payload, choose
from benchmarks.dense import NETWORKS
from benchmarks.errors import BenchmarkError
from benchmarks.load import allow_connections, require_wrk, run_wrk
from benchmarks.models import golden_of, publish_dense
from benchmarks.process import Server, exit_on_sigterm
from benchmarks.service import predict_path, running_service, warm_up
from benchmarks.table import markdown_table, number
from service.repository.model_store import Store

_SOURCE = Path(__file__).with_name("random_arrivals.c")
_CONNECTIONS = 32
_SHARES = (0.50, 0.80, 0.95)
# So many requests may be under way at a time: 20 ms of 50,000 a second.
_CONNECTIONS_OPEN = 1000
_GRACE_S = 60


@dataclass(frozen=True, slots=True)
class OpenLoad:
    """What ``random_arrivals.c`` saw.

    Attributes:
        requests: requests that were answered, whatever the status.
        p50_ms: the median time from when a request was due to the end of its answer.
        p99_ms: the time that 99 of 100 requests stayed under.
        dropped: requests that were due while every connection waited for an answer.
        failed: requests that had no answer, or an error.
    """

    requests: int
    p50_ms: float
    p99_ms: float
    dropped: int
    failed: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print a table; the exit status is 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.open_loop")
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement (10)")
    options = parser.parse_args(arguments)
    try:
        require_wrk()
        own, others = _halves(os.sched_getaffinity(0))
        with tempfile.TemporaryDirectory(prefix="understudy-open-") as name:
            folder = Path(name)
            program = compile_load(folder)
            store = Store(folder / "models")
            for network in NETWORKS.values():
                publish_dense(store, network)
            with (
                _on_cores(own),
                running_service(store.root, folder, len(own)) as server,
                _on_cores(others),
            ):
                rows = [
                    row
                    for model in NETWORKS
                    for row in _measure(server, program, store.root, folder, model, options.seconds)
                ]
    except BenchmarkError as error:
        print(f"benchmarks.open_loop: {error}", file=sys.stderr)
        return 1
    head = ["model, share of the closed loop's rate", "sent/s", "p50 ms", "p99 ms", "dropped"]
    print(markdown_table([*head, "errors", "CPU of the load, us/request"], rows))
    return 0


def _halves(cores: Collection[int]) -> tuple[list[int], list[int]]:
    """Divide processors between the service and the load.

    Raises:
        BenchmarkError: there is only one.
    """
    if len(cores) < 2:
        raise BenchmarkError("An open loop takes a processor beside the service's.")
    half = len(cores) // 2
    return sorted(cores)[:half], sorted(cores)[half:]


@contextmanager
def _on_cores(cores: Collection[int]) -> Iterator[None]:
    """Let processes that are started meanwhile run on these processors alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def compile_load(folder: Path) -> Path:
    """Compile the load into ``folder``, and return the program.

    Raises:
        BenchmarkError: there is no C compiler, or it fails.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise BenchmarkError("There is no C compiler; on Debian: apt-get install gcc libc6-dev.")
    program = folder / _SOURCE.stem
    command = [compiler, "-O2", "-o", str(program), str(_SOURCE), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{_SOURCE.name} cannot be compiled: {done.stderr.strip()[-300:]}")
    return program


def run_open_loop(program: Path, url: str, body: Path, rate: float, seconds: int) -> OpenLoad:
    """Post a file at random moments, and return what came of it.

    Args:
        program: as ``compile_load`` returned it.
        url: where to; on this machine.
        body: the file.
        rate: requests per second in the mean.
        seconds: for how long.

    Raises:
        BenchmarkError: the program failed.
    """
    to = urlsplit(url)
    words = (to.hostname, to.port, to.path, body, rate, _CONNECTIONS_OPEN, seconds)
    allow_connections(_CONNECTIONS_OPEN)
    try:
        done = subprocess.run(
            [str(program), *map(str, words)],
            capture_output=True,
            text=True,
            timeout=seconds + _GRACE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"The load did not end after {seconds + _GRACE_S} s.") from error
    if done.returncode:
        raise BenchmarkError(f"The load failed: {done.stderr.strip()[-300:]}")
    return OpenLoad(**json.loads(done.stdout))


def _measure(
    server: Server, program: Path, models: Path, folder: Path, model: str, seconds: int
) -> list[list[str]]:
    golden = golden_of(models, model)
    body = folder / f"{model}.json"
    body.write_bytes(Payload(model, golden, choose(golden.examples, 1)).body())
    path = predict_path(model)
    warm_up(server, path, body)
    before = _children_s()
    closed = run_wrk(server.url(path), body, connections=_CONNECTIONS, seconds=seconds)
    rate = closed.requests / closed.seconds
    cost = 1e6 * (_children_s() - before) / max(1, closed.requests)
    failed = sum(closed.failed.values())
    title = f"{model}, closed loop of {_CONNECTIONS} connections"
    rows = [_row(title, rate, closed.p50_ms, closed.p99_ms, "-", failed, cost)]
    for share in _SHARES:
        before = _children_s()
        load = run_open_loop(program, server.url(path), body, share * rate, seconds)
        cost = 1e6 * (_children_s() - before) / max(1, load.requests)
        title, sent = f"{model}, {share:.0%} in an open loop", load.requests / seconds
        dropped = f"{load.dropped:,}"
        rows.append(_row(title, sent, load.p50_ms, load.p99_ms, dropped, load.failed, cost))
    return rows


def _row(
    title: str, rate: float, p50_ms: float, p99_ms: float, dropped: str, failed: int, cost: float
) -> list[str]:
    return [title, *map(number, (rate, p50_ms, p99_ms)), dropped, f"{failed:,}", number(cost)]


def _children_s() -> float:
    """Processor time of the children that have ended, which between two calls is the load's."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
