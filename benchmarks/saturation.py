"""What still answers when predictions are saturated: ``python -m benchmarks.saturation``.

More connections than a model's queue has places ask for predictions without pause. Meanwhile, and
before, one client at a time asks for health, metrics and status, and one more for predictions,
most of which are refused. Printed are the times until these were answered. The times depend on
who gets the processor: the load has it as well.
"""

import argparse
import http.client
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.cases import Payload, choose
from benchmarks.load import Load, require_wrk, run_wrk
from benchmarks.models import assemble, golden_of
from benchmarks.process import HOST, ROOT, Server, free_port
from benchmarks.table import markdown_table

_MODEL = "clothing"
_QUEUE = 8
_PATHS = ("/livez", "/readyz", "/metrics", f"/v1/models/{_MODEL}")
_REFUSED = 503


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.saturation")
    parser.add_argument("--connections", type=int, default=64, help="that ask for predictions")
    parser.add_argument("--seconds", type=int, default=10, help="of the load")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    require_wrk()
    with tempfile.TemporaryDirectory(prefix="understudy-saturation-") as name:
        folder = Path(name)
        (folder / "models").mkdir()
        assemble(ROOT / "saved_models", folder / "models")
        golden = golden_of(folder / "models", _MODEL)
        body = Payload(_MODEL, golden, choose(golden.examples, 1)).body
        (folder / "body").write_bytes(body)
        port = free_port()
        environ = {
            "MODELS": str(folder / "models"),
            "PORT": str(port),
            "UNDERSTUDY_WORKERS": str(options.workers),
            "UNDERSTUDY_MAX_QUEUE": str(_QUEUE),
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "service/gunicorn.conf.py"]
        with Server("the service", command, port, environ, folder / "log") as server:
            server.wait_until_ready()
            idle = _probe(port, body, seconds=3)
            loads: list[Load] = []
            load = threading.Thread(
                target=lambda: loads.append(
                    run_wrk(
                        f"http://{HOST}:{port}/v1/models/{_MODEL}:predict",
                        folder / "body",
                        connections=options.connections,
                        seconds=options.seconds,
                    )
                )
            )
            load.start()
            time.sleep(1)
            busy = _probe(port, body, seconds=options.seconds - 2)
            load.join()
    failed = loads[0].failed.get("status", 0)
    print(f"{options.connections} connections, {options.workers} workers, {_QUEUE} places each:")
    print(f"{loads[0].requests} answers, {failed} of them refusals")
    _print("idle", idle)
    _print("saturated", busy)


def _probe(port: int, body: bytes, seconds: float) -> dict[str, list[float]]:
    """Return the milliseconds that each kind of request took, over new connections."""
    times: dict[str, list[float]] = {path: [] for path in (*_PATHS, "refusal", "prediction")}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for path in _PATHS:
            _, took = _ask(port, "GET", path)
            times[path].append(took)
        status, took = _ask(port, "POST", f"/v1/models/{_MODEL}:predict", body)
        times["refusal" if status == _REFUSED else "prediction"].append(took)
    return times


def _ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, float]:
    start = time.perf_counter()
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    connection.request(method, path, body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, 1e3 * (time.perf_counter() - start)


def _print(when: str, times: Mapping[str, Sequence[float]]) -> None:
    rows = [
        [what, str(len(took)), *(f"{value:.1f}" for value in np.percentile(took, [50, 99, 100]))]
        for what, took in times.items()
        if took
    ]
    print(markdown_table([when, "asked", "p50 ms", "p99 ms", "worst ms"], rows))


if __name__ == "__main__":
    main()
