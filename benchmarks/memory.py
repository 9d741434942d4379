"""The memory of the service: ``python -m benchmarks.memory``.

Printed is the proportional set size (what is shared is divided among those who share it) of the
master and its workers with the committed models, and after many swaps of each model.
"""

import argparse
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import procfs
from benchmarks.errors import BenchmarkError
from benchmarks.process import HOST, ROOT, Server, free_port
from benchmarks.publishing import republish
from service.repository.model_store import Store

_MB = 1e6
_SWAP_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class _Memory:
    """Bytes of all workers together: resident, and allocated (mapped files left out)."""

    resident: int
    allocated: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 when a swap did not happen."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except BenchmarkError as error:
        print(f"benchmarks.memory: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    committed = Store(ROOT / "saved_models")
    latest = {name: max(committed.versions(name).items())[1] for name in committed.models()}
    with tempfile.TemporaryDirectory(prefix="understudy-memory-") as name:
        store = Store(Path(name, "models"))
        for model, version in latest.items():
            republish(store, model, version)
        environ = {
            "MODELS": str(store.root),
            "PORT": str(port := free_port()),
            "UNDERSTUDY_WORKERS": str(options.workers),
            "UNDERSTUDY_POLL_INTERVAL_S": "0.1",
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "service/server/gunicorn.conf.py"]
        with Server("the service", command, port, environ, Path(name, "log")) as server:
            server.wait_until_ready()
            start = _report("at the start", server)
            for swap in range(1, options.swaps + 1):
                for model, version in latest.items():
                    _wait_for(port, model, republish(store, model, version))
                if swap % 10 == 0:
                    now = _report(f"after {swap} swaps", server)
            if options.swaps >= 10:
                resident = 100 * (now.resident / start.resident - 1)
                allocated = 100 * (now.allocated / start.allocated - 1)
                print(f"growth: resident {resident:+.1f} %, allocated {allocated:+.1f} %")


def _report(when: str, server: Server) -> _Memory:
    """Print the memory of the service, and return that of its workers."""
    workers = procfs.tree(server.pid)[1:]
    memory = _Memory(
        resident=sum(map(procfs.resident_bytes, workers)),
        allocated=sum(map(procfs.anonymous_bytes, workers)),
    )
    print(
        f"{when:>18}: {procfs.pss_bytes(server.pid) / _MB:.0f} MB in all (PSS); "
        f"{len(workers)} workers: resident {memory.resident / _MB:.0f} MB, "
        f"allocated {memory.allocated / _MB:.0f} MB"
    )
    return memory


def _wait_for(port: int, model: str, version: int) -> None:
    deadline = time.monotonic() + _SWAP_TIMEOUT_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(HOST, port, timeout=30)
        connection.request("GET", f"/v1/models/{model}/versions/{version}")
        response = connection.getresponse()
        known = json.loads(response.read()).get("model_version_status", [{}])
        connection.close()
        if known[0].get("state") == "AVAILABLE":
            return
        time.sleep(0.05)
    raise BenchmarkError(f"{model} {version} did not come into service: {known}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--swaps", type=int, default=50, help="swaps of each model (50)")
    parser.add_argument("--workers", type=int, default=2, help="workers of the service (2)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
