"""What storing events costs: ``python -m benchmarks.events``.

Services of one worker that store nothing, a tenth, and all of their predictions are asked by turns,
seconds apart, so that what else the machine does falls on all of them. The cost is processor time a
request, of the whole service, the thread that writes included.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.cases import Payload, choose
from benchmarks.dense import PICTURES, ROWS, Network
from benchmarks.errors import BenchmarkError
from benchmarks.load import require_wrk
from benchmarks.measure import measure
from benchmarks.models import golden_of, publish_dense
from benchmarks.process import Server, exit_on_sigterm
from benchmarks.service import predict_path, running_service, warm_up
from benchmarks.table import markdown_table, number
from service.repository.model_store import Store

_CONNECTIONS = 32
# Shares of predictions that are stored; 0 is a service without a store.
_RATES = (0.0, 0.1, 1.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print a table; the exit status is 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.events")
    parser.add_argument("--rounds", type=int, default=7, help="of turns (7)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (3)")
    options = parser.parse_args(arguments)
    try:
        require_wrk()
        with tempfile.TemporaryDirectory(prefix="understudy-events-") as name, ExitStack() as stack:
            folder = Path(name)
            store = Store(folder / "models")
            for network in (ROWS, PICTURES):
                publish_dense(store, network)
            servers = {
                rate: stack.enter_context(
                    running_service(store.root, folder, 1, **_settings(folder, rate))
                )
                for rate in _RATES
            }
            rows = [
                row
                for network in (ROWS, PICTURES)
                for row in _compare(
                    servers, store.root, folder, network, options.rounds, options.seconds
                )
            ]
    except BenchmarkError as error:
        print(f"benchmarks.events: {error}", file=sys.stderr)
        return 1
    head = ["model, share stored", "requests/s", "CPU us/request", "beside none", "errors"]
    print(markdown_table(head, rows))
    return 0


def _settings(folder: Path, rate: float) -> dict[str, str]:
    if not rate:
        return {}
    return {
        "UNDERSTUDY_EVENTS": str(folder / f"events-{rate}.db"),
        "UNDERSTUDY_EVENTS_RATE": str(rate),
    }


def _compare(
    servers: dict[float, Server],
    models: Path,
    folder: Path,
    network: Network,
    rounds: int,
    seconds: int,
) -> list[list[str]]:
    golden = golden_of(models, network.name)
    body = folder / f"{network.name}.json"
    body.write_bytes(Payload(network.name, golden, choose(golden.examples, 1)).body())
    path = predict_path(network.name)
    for server in servers.values():
        warm_up(server, path, body)
    turns = [
        {
            rate: measure(server, path, body, connections=_CONNECTIONS, seconds=seconds)
            for rate, server in servers.items()
        }
        for _ in range(rounds)
    ]
    rows = []
    for rate in servers:
        # Each beside the one without a store in the same turn.
        ratios = [t[rate].cpu_us_per_request / t[0.0].cpu_us_per_request - 1 for t in turns]
        rows.append(
            [
                f"{network.name}, {rate:.0%}",
                number(median(turn[rate].requests_per_s for turn in turns)),
                number(median(turn[rate].cpu_us_per_request for turn in turns)),
                f"{median(ratios):+.1%}",
                str(sum(sum(turn[rate].failed.values()) for turn in turns)),
            ]
        )
    return rows


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
