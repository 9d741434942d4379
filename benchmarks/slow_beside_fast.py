"""What a slow model does to all else: ``python -m benchmarks.slow_beside_fast``.

A service holds a fast model and one whose call takes 200 ms of a processor. One client at a time
asks for a prediction of the fast one, for health and for metrics, over new connections: while
nobody else asks, while connections ask the slow model without pause, and while 5,000 connections
ask the fast one. Printed is how long the answers took. The load shares the processors with the
service, and so do the slow model's calls. While many connections ask, health alone is asked for.
"""

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.cases import Payload, choose
from benchmarks.dense import ROWS
from benchmarks.errors import BenchmarkError
from benchmarks.load import Load, allow_connections, require_wrk, run_wrk
from benchmarks.models import golden_of, publish_dense
from benchmarks.process import HOST, Server, exit_on_sigterm
from benchmarks.service import predict_path, running_service, warm_up
from benchmarks.slow import SLOW, publish_slow
from benchmarks.table import markdown_table
from service.repository.model_store import Store
from service.settings.usable_cores import usable_cores

_CALL_S = 0.2
_FIRST_TURNS = 200
_CALIBRATIONS = 5
# Until all of the load's connections are open and ask.
_LOAD_STARTS_S = 2
_PAUSE_S = 0.005

_Times = dict[str, list[float]]
# What is asked for in words, method, path and body.
_Asked = tuple[str, str, str, bytes | None]
_LIVE: _Asked = ("`/livez`", "GET", "/livez", None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print a table; the exit status is 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slow_beside_fast")
    parser.add_argument("--connections", type=int, default=32, help="that ask the slow model (32)")
    parser.add_argument("--many", type=int, default=5000, help="that ask the fast model (5,000)")
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement (10)")
    parser.add_argument("--workers", type=int, default=usable_cores())
    options = parser.parse_args(arguments)
    try:
        require_wrk()
        allow_connections(options.many)
        with tempfile.TemporaryDirectory(prefix="understudy-slow-") as folder:
            _run(options, Path(folder))
    except BenchmarkError as error:
        print(f"benchmarks.slow_beside_fast: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace, folder: Path) -> None:
    store = Store(folder / "models")
    publish_dense(store, ROWS)
    publish_slow(store)
    golden = golden_of(store.root, ROWS.name)
    fast, slow = folder / "fast.json", folder / "slow.json"
    fast.write_bytes(Payload(ROWS.name, golden, choose(golden.examples, 1)).body())
    with running_service(store.root, folder, options.workers) as server:
        warm_up(server, predict_path(ROWS.name), fast)
        turns, took_s = _calibrate(server)
        slow.write_bytes(_slow_body(turns))
        asked = (
            ("the fast model", "POST", predict_path(ROWS.name), fast.read_bytes()),
            _LIVE,
            ("`/metrics`", "GET", "/metrics", None),
        )
        rows = _rows("nobody", _probe(server, asked, options.seconds))
        loads: tuple[tuple[str, str, Path, int, Sequence[_Asked]], ...] = (
            (f"{options.connections} ask the slow model", SLOW, slow, options.connections, asked),
            (f"{options.many:,} ask the fast model", ROWS.name, fast, options.many, [_LIVE]),
        )
        for when, model, body, connections, probed in loads:
            seconds = options.seconds + 2 * _LOAD_STARTS_S
            with _Loaded(server.url(predict_path(model)), body, connections, seconds) as loaded:
                time.sleep(_LOAD_STARTS_S)
                rows += _rows(when, _probe(server, probed, options.seconds))
            print(f"{when}: {loaded.said()}")
    print(f"A call of the slow model takes {1e3 * took_s:.0f} ms; {options.workers} workers.\n")
    head = ["load: asked for", "answers", "p50 ms", "p99 ms", "worst ms"]
    print(markdown_table(head, rows))


class _Loaded:
    """A load that lasts at least as long as its ``with`` block."""

    def __init__(self, url: str, body: Path, connections: int, seconds: int) -> None:
        self._load: Load | BenchmarkError | None = None

        def run() -> None:
            try:
                self._load = run_wrk(url, body, connections=connections, seconds=seconds)
            except BenchmarkError as error:
                self._load = error

        self._thread = threading.Thread(target=run)

    def __enter__(self) -> "_Loaded":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def said(self) -> str:
        """Return what the load saw.

        Raises:
            BenchmarkError: it failed.
        """
        if not isinstance(self._load, Load):
            raise self._load or BenchmarkError("The load did not run.")
        failed = ", ".join(f"{count:,} {kind}" for kind, count in self._load.failed.items())
        return (
            f"{self._load.requests / self._load.seconds:,.0f} answers/s, "
            f"{failed or 'none'} failed (status: refused with 503, or worse)"
        )


def _calibrate(server: Server) -> tuple[int, float]:
    """Return how many turns make a call of the slow model last long enough, and how long it is."""
    turns = _FIRST_TURNS
    took_s = _slow_call_s(server, turns)
    for _ in range(_CALIBRATIONS):
        took_s = min(_slow_call_s(server, turns) for _ in range(3))
        if abs(took_s / _CALL_S - 1) < 0.1:
            break
        turns = max(1, round(turns * _CALL_S / took_s))
    return turns, took_s


def _slow_call_s(server: Server, turns: int) -> float:
    start = time.perf_counter()
    server.post(predict_path(SLOW), _slow_body(turns))
    return time.perf_counter() - start


def _slow_body(turns: int) -> bytes:
    return json.dumps({"instances": [turns]}).encode()


def _probe(server: Server, asked: Sequence[_Asked], seconds: float) -> _Times:
    """Return the seconds that each kind of request took, asked in turn over new connections.

    Raises:
        BenchmarkError: one was not answered with 200.
    """
    times: _Times = {what: [] for what, *_ in asked}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for what, method, path, sent in asked:
            times[what].append(_ask_s(server.port, method, path, sent))
            time.sleep(_PAUSE_S)
    return times


def _ask_s(port: int, method: str, path: str, body: bytes | None) -> float:
    start = time.perf_counter()
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        answer.read()
    except OSError as error:
        raise BenchmarkError(f"{path} was not answered: {error}.") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise BenchmarkError(f"{path} was answered with {answer.status}.")
    return time.perf_counter() - start


def _rows(when: str, times: Mapping[str, Sequence[float]]) -> list[list[str]]:
    return [
        [
            f"{when}: {what}",
            f"{len(took):,}",
            *(f"{1e3 * value:.1f}" for value in np.percentile(took, [50, 99, 100])),
        ]
        for what, took in times.items()
    ]


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
