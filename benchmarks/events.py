"""What storing events costs: ``python -m benchmarks.events``.

One worker stores a share of the predictions, and is a service without an event store, by turns of
some seconds (``benchmarks.servers.alternating``). The cost is processor time a request, of all its
threads, the one that writes included. It is measured with the models in ``saved_models``, and with
two networks that are so small that nearly all of the time is the service's own.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.alternation import Alternating
from benchmarks.cases import Payload, choose
from benchmarks.dense import NETWORKS
from benchmarks.errors import BenchmarkError
from benchmarks.load import require_wrk
from benchmarks.models import golden_of, publish_dense
from benchmarks.part_costs import measure_part
from benchmarks.process import ROOT, exit_on_sigterm
from benchmarks.service import predict_path
from benchmarks.table import markdown_table, number
from service.repository.model_store import Store

_CONNECTIONS = 32
_SAVED_MODELS = ROOT / "saved_models"
_COMMITTED = ("mpg", "clothing", "sentiment")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print a table; the exit status is 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.events")
    parser.add_argument("--seconds", type=int, default=120, help="of each row of the table (120)")
    parser.add_argument(
        "--shares", type=float, nargs="+", default=[0.1, 1.0], help="that are stored (0.1 1)"
    )
    models = [*_COMMITTED, *NETWORKS]
    parser.add_argument("--models", nargs="+", default=models, choices=models, help="which (all)")
    options = parser.parse_args(arguments)
    try:
        require_wrk()
        with tempfile.TemporaryDirectory(prefix="understudy-events-") as folder:
            rows = [
                _measure(Path(folder), model, share, options.seconds)
                for model in options.models
                for share in options.shares
            ]
    except BenchmarkError as error:
        print(f"benchmarks.events: {error}", file=sys.stderr)
        return 1
    head = ["model, share stored", "without a store, CPU us/request", "added us"]
    print(markdown_table([*head, "added (95 % interval)", "pairs of turns", "errors"], rows))
    return 0


def _measure(folder: Path, model: str, share: float, seconds: int) -> list[str]:
    own = folder / f"{model}-{share}"
    own.mkdir()
    store = Store(_SAVED_MODELS)
    if model in NETWORKS:
        store = Store(own / "models")
        publish_dense(store, NETWORKS[model])
    golden = golden_of(store.root, model)
    body = own / "body.json"
    body.write_bytes(Payload(model, golden, choose(golden.examples, 1)).body())
    load, cost = measure_part(
        Alternating.EVENTS,
        store.root,
        own,
        predict_path(model),
        body,
        connections=_CONNECTIONS,
        seconds=seconds,
        settings=_settings(own, share),
    )
    return [
        f"{model}, {share:.0%}",
        number(cost.without_us),
        f"{cost.added_us.middle:+.2f}",
        cost.share,
        str(cost.pairs),
        str(sum(load.failed.values())),
    ]


def _settings(folder: Path, share: float) -> dict[str, str]:
    return {
        "UNDERSTUDY_EVENTS": str(folder / "events.db"),
        "UNDERSTUDY_EVENTS_RATE": str(share),
    }


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
