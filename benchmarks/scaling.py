"""How the cost of a request grows: ``python -m benchmarks.scaling``.

Processor time of the service a request, over images a request, connections, models in the folder
and versions of a model. Where it grows faster than what is asked for, something is wrong.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.cases import Payload, choose
from benchmarks.dense import PICTURES, ROWS, Network
from benchmarks.errors import BenchmarkError
from benchmarks.load import require_wrk
from benchmarks.measure import Measurement, measure
from benchmarks.models import golden_of, latest_version, publish_dense
from benchmarks.process import Server, exit_on_sigterm
from benchmarks.publishing import republish
from benchmarks.service import predict_path, running_service, warm_up
from benchmarks.table import markdown_table, number
from service.repository.model_store import Store
from service.settings.usable_cores import usable_cores

_IMAGES = (1, 8, 64, 512)
_IMAGES_CONNECTIONS = 2
_CONNECTIONS = (1, 8, 32, 128, 1000)
_MODELS = (1, 10, 100)
_VERSIONS = (1, 2, 10)
_USUAL_CONNECTIONS = 32


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables; the exit status is 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median is taken (3)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (3)")
    parser.add_argument("--workers", type=int, default=usable_cores())
    options = parser.parse_args(arguments)
    try:
        require_wrk()
        with tempfile.TemporaryDirectory(prefix="understudy-scaling-") as folder:
            _Scaling(Path(folder), options.rounds, options.seconds, options.workers).run()
    except BenchmarkError as error:
        print(f"benchmarks.scaling: {error}", file=sys.stderr)
        return 1
    return 0


class _Scaling:
    """Measures, and prints each row when it is measured."""

    def __init__(self, folder: Path, rounds: int, seconds: int, workers: int) -> None:
        self._folder = folder
        self._rounds, self._seconds, self._workers = rounds, seconds, workers
        self._made = Store(folder / "made")

    def run(self) -> None:
        """Measure everything."""
        for network in (PICTURES, ROWS):
            publish_dense(self._made, network)
        with running_service(self._made.root, self._folder, self._workers) as server:
            _print(
                f"images a request, {_IMAGES_CONNECTIONS} connections",
                _IMAGES,
                lambda images: self._measure(server, PICTURES, images, _IMAGES_CONNECTIONS),
            )
            _print(
                "connections, 1 row",
                _CONNECTIONS,
                lambda count: self._measure(server, ROWS, 1, count),
            )
        self._over_stores("models in the folder", _MODELS, with_models)
        self._over_stores("versions of the model", _VERSIONS, with_versions)

    def _over_stores(
        self, title: str, counts: Sequence[int], fill: Callable[[Store, Path, int], None]
    ) -> None:
        version = latest_version(self._made.root, ROWS.name)

        def measured(count: int) -> list[Measurement]:
            store = Store(self._folder / f"{fill.__name__}-{count}")
            fill(store, version, count)
            with running_service(store.root, self._folder, self._workers) as server:
                return self._measure(server, ROWS, 1, _USUAL_CONNECTIONS)

        _print(f"{title}, 1 row, {_USUAL_CONNECTIONS} connections", counts, measured)

    def _measure(
        self, server: Server, network: Network, rows: int, connections: int
    ) -> list[Measurement]:
        golden = golden_of(self._made.root, network.name)
        body = self._folder / f"{network.name}-{rows}.json"
        body.write_bytes(Payload(network.name, golden, choose(golden.examples, rows)).body())
        path = predict_path(network.name)
        warm_up(server, path, body)
        return [
            measure(server, path, body, connections=connections, seconds=self._seconds)
            for _ in range(self._rounds)
        ]


def with_models(store: Store, version: Path, count: int) -> None:
    """Publish a version of the network of rows under its own name and ``count - 1`` others."""
    republish(store, ROWS.name, version)
    for other in range(1, count):
        republish(store, f"{ROWS.name}_{other}", version)


def with_versions(store: Store, version: Path, count: int) -> None:
    """Publish a version of the network of rows ``count`` times."""
    for _ in range(count):
        republish(store, ROWS.name, version)


def _print(title: str, counts: Sequence[int], measured: Callable[[int], list[Measurement]]) -> None:
    head = [title, "requests/s", "CPU us/request", "errors"]
    print(markdown_table(head, []), flush=True)
    for count in counts:
        found = measured(count)
        rate = median(measurement.requests_per_s for measurement in found)
        cost = median(measurement.cpu_us_per_request for measurement in found)
        errors = sum(sum(measurement.failed.values()) for measurement in found)
        print(f"| {count:,} | {number(rate)} | {number(cost)} | {errors:,} |", flush=True)
    print(flush=True)


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
