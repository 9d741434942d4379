"""Latency at a rate that does not depend on the answers: ``python -m benchmarks.open_loop``.

wrk asks over 32 connections for as many requests per second as the service gives (a closed loop).
Then ``random_arrivals.c`` sends a share of that rate whether answers come or not (an open loop), at
random moments, as independent clients do. A shared machine changes its speed within seconds, and
80 % of what it gave a minute ago may be more than it gives now: so each open loop is short, is
preceded by a closed one, and many of them are taken.

A tail also comes from the machine's own pauses. So a bare server that does nothing but spend as
much processor time a request is measured by turns with the service.

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from benchmarks.cases import Payload, choose
from benchmarks.cores import halves, on_cores
from benchmarks.dense import NETWORKS
from benchmarks.errors import BenchmarkError
from benchmarks.load import allow_connections, require_wrk, run_wrk
from benchmarks.models import golden_of, publish_dense
from benchmarks.process import Server, exit_on_sigterm, free_port
from benchmarks.service import predict_path, running_service, warm_up
from benchmarks.table import markdown_table, number
from service.repository.model_store import Store

_SOURCE = Path(__file__).with_name("random_arrivals.c")
_CONNECTIONS = 32
_SHARES = (0.50, 0.80, 0.95)
# So many requests may be under way at a time: 20 ms of 50,000 a second.
_CONNECTIONS_OPEN = 1000
_GRACE_S = 60
_CLOSED_S = 1
# Turns of the bare server's loop that it takes to measure what one costs: some 50 us.
_TRIED_TURNS = 2000
_CALIBRATIONS = 3


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


@dataclass(frozen=True, slots=True)
class Address:
    """Where one server is asked, and with what."""

    name: str
    url: str
    body: Path


@dataclass(frozen=True, slots=True)
class Round:
    """An open loop, and the closed one before it.

    Attributes:
        closed_rate: requests per second of the closed loop.
        sent_rate: requests per second of the open loop.
        open: what the open loop saw.
        load_us: processor time of the load, in us a request.
    """

    closed_rate: float
    sent_rate: float
    open: OpenLoad
    load_us: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print a table; the exit status is 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.open_loop")
    parser.add_argument("--rounds", type=int, default=9, help="of each row of the table (9)")
    parser.add_argument("--seconds", type=int, default=2, help="of each open loop (2)")
    options = parser.parse_args(arguments)
    try:
        require_wrk()
        own, others = halves(os.sched_getaffinity(0))
        with tempfile.TemporaryDirectory(prefix="understudy-open-") as name:
            folder = Path(name)
            program = compile_load(folder)
            store = Store(folder / "models")
            for network in NETWORKS.values():
                publish_dense(store, network)
            with (
                on_cores(own),
                running_service(store.root, folder, len(own)) as service,
                _bare_server(folder) as bare,
                on_cores(others),
            ):
                rows = [
                    row
                    for model in NETWORKS
                    for row in _measure(service, bare, program, store.root, folder, model, options)
                ]
    except BenchmarkError as error:
        print(f"benchmarks.open_loop: {error}", file=sys.stderr)
        return 1
    head = ["model, share of the closed loop's rate, server", "closed/s", "sent/s", "p50 ms"]
    print(markdown_table([*head, "p99 ms (range)", "dropped", "errors", "us of the load"], rows))
    return 0


@contextmanager
def _bare_server(folder: Path) -> Iterator[Server]:
    """Start the server that does nothing but spend processor time, and end it at last."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.servers.bare", str(port)]
    with Server("the bare server", command, port, {}, folder / "bare.log") as server:
        server.wait_until_ready("/0")
        yield server


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


def run_open_loop(
    program: Path, url: str, body: Path, rate: float, seconds: int, times: Path | None = None
) -> OpenLoad:
    """Post a file at random moments, and return what came of it.

    Args:
        program: as ``compile_load`` returned it.
        url: where to; on this machine.
        body: the file.
        rate: requests per second in the mean.
        seconds: for how long.
        times: the file for when each request was due and what it took, as the program writes it.

    Raises:
        BenchmarkError: the program failed.
    """
    to = urlsplit(url)
    words = [to.hostname, to.port, to.path, body, rate, _CONNECTIONS_OPEN, seconds]
    if times is not None:
        words.append(times)
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
    service: Server,
    bare: Server,
    program: Path,
    models: Path,
    folder: Path,
    model: str,
    options: argparse.Namespace,
) -> list[list[str]]:
    golden = golden_of(models, model)
    body = folder / f"{model}.json"
    body.write_bytes(Payload(model, golden, choose(golden.examples, 1)).body())
    path = predict_path(model)
    warm_up(service, path, body)
    ours = Address("ours", service.url(path), body)
    turns = _turns_that_cost_as_much(ours, bare)
    servers = [ours, Address("bare", bare.url(f"/{turns}"), body)]
    rows = []
    for share in _SHARES:
        taken: dict[Address, list[Round]] = {server: [] for server in servers}
        for _ in range(options.rounds):
            for server in servers:
                taken[server].append(_take_round(program, server, share, options.seconds))
        rows += [
            _row(f"{model}, {share:.0%}, {server.name}", rounds) for server, rounds in taken.items()
        ]
    return rows


def _turns_that_cost_as_much(ours: Address, bare: Server) -> int:
    """Return how many turns of its loop make the bare server as fast as ours in a closed loop."""

    def seconds_a_request(url: str) -> float:
        return 1 / _closed_rate(Address("", url, ours.body))

    urls = (ours.url, bare.url("/0"), bare.url(f"/{_TRIED_TURNS}"))
    by_turns = [[seconds_a_request(url) for url in urls] for _ in range(_CALIBRATIONS)]
    wanted, without, spending = map(median, zip(*by_turns, strict=True))
    turns = _TRIED_TURNS * (wanted - without) / (spending - without)
    return max(0, int(turns))


def _closed_rate(server: Address) -> float:
    closed = run_wrk(server.url, server.body, connections=_CONNECTIONS, seconds=_CLOSED_S)
    failed = sum(closed.failed.values())
    if failed:
        raise BenchmarkError(f"{failed} requests of a closed loop failed.")
    return closed.requests / closed.seconds


def _take_round(program: Path, server: Address, share: float, seconds: int) -> Round:
    closed = _closed_rate(server)
    before = _children_s()
    load = run_open_loop(program, server.url, server.body, share * closed, seconds)
    cost = 1e6 * (_children_s() - before) / max(1, load.requests)
    return Round(closed, load.requests / seconds, load, cost)


def _row(title: str, rounds: Sequence[Round]) -> list[str]:
    tails = sorted(taken.open.p99_ms for taken in rounds)
    return [
        title,
        number(median(taken.closed_rate for taken in rounds)),
        number(median(taken.sent_rate for taken in rounds)),
        number(median(taken.open.p50_ms for taken in rounds)),
        f"{number(median(tails))} ({number(tails[0])} to {number(tails[-1])})",
        f"{sum(taken.open.dropped for taken in rounds):,}",
        f"{sum(taken.open.failed for taken in rounds):,}",
        number(median(taken.load_us for taken in rounds)),
    ]


def _children_s() -> float:
    """Processor time of the children that have ended, which between two calls is the load's."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
