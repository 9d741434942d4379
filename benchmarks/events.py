"""What storing events costs: ``python -m benchmarks.events``.

One service of one worker stores none and some shares of its predictions by turns, as the model's
policy says, so that a turn differs from the one before in nothing else: two processes that do the
same differ by some hundredths. What it costs to look at who is not stored, which a service with a
store pays for every request, lies between its turns of none and a second service without a store.
The cost is processor time a request, of the whole service, the thread that writes included.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

import requests

from benchmarks.cases import Payload, choose
from benchmarks.dense import PICTURES, ROWS, Network
from benchmarks.errors import BenchmarkError
from benchmarks.load import require_wrk
from benchmarks.measure import Measurement, measure
from benchmarks.medians import median_interval
from benchmarks.models import golden_of, publish_dense
from benchmarks.process import Server, exit_on_sigterm
from benchmarks.service import predict_path, running_service, warm_up
from benchmarks.table import markdown_table, number
from service.repository.event_rates import EventRates
from service.repository.model_store import Store
from service.repository.policy_changes import change_policy

_CONNECTIONS = 32
_NOTHING = 0.0
# What the service without a store is called in the table.
_NO_STORE = "no store"
# For how long a worker may take to follow a policy, and how often one looks, in seconds.
_FOLLOW_S = 30.0
_LOOK_S = 0.1
_TIMEOUT_S = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print a table; the exit status is 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.events")
    parser.add_argument("--rounds", type=int, default=7, help="of turns (7)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (3)")
    parser.add_argument(
        "--shares", type=float, nargs="+", default=[0.1, 1.0], help="that are stored (0.1 1)"
    )
    options = parser.parse_args(arguments)
    rates = (_NOTHING, *options.shares)
    try:
        require_wrk()
        with tempfile.TemporaryDirectory(prefix="understudy-events-") as name, ExitStack() as stack:
            folder = Path(name)
            store = Store(folder / "models")
            for network in (ROWS, PICTURES):
                publish_dense(store, network)
            without, storing = (
                stack.enter_context(
                    running_service(store.root, folder, 1, **_settings(folder, rate))
                )
                for rate in (_NOTHING, max(rates))
            )
            rows = [
                row
                for network in (ROWS, PICTURES)
                for row in _compare(without, storing, store.root, folder, network, rates, options)
            ]
    except BenchmarkError as error:
        print(f"benchmarks.events: {error}", file=sys.stderr)
        return 1
    head = [
        "model, share stored",
        "requests/s",
        "CPU us/request",
        "beside 0% (95 % interval)",
        "errors",
    ]
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
    without: Server,
    storing: Server,
    models: Path,
    folder: Path,
    network: Network,
    rates: Sequence[float],
    options: argparse.Namespace,
) -> list[list[str]]:
    golden = golden_of(models, network.name)
    body = folder / f"{network.name}.json"
    body.write_bytes(Payload(network.name, golden, choose(golden.examples, 1)).body())
    path = predict_path(network.name)

    def measured(server: Server) -> Measurement:
        return measure(server, path, body, connections=_CONNECTIONS, seconds=options.seconds)

    for server in (without, storing):
        warm_up(server, path, body)
    turns: list[dict[str, Measurement]] = []
    for round_ in range(options.rounds):
        turn = {_NO_STORE: measured(without)}
        # To and fro, so that none profits from its place.
        for rate in reversed(rates) if round_ % 2 else rates:
            _store_share(storing, models, network.name, rate)
            turn[f"{rate:.0%}"] = measured(storing)
        turns.append(turn)
    return [_row(network.name, name, turns) for name in turns[0]]


def _store_share(server: Server, models: Path, model: str, rate: float) -> None:
    """Let the service store this share of a model's predictions, and wait until it does.

    Raises:
        BenchmarkError: it does not follow the policy.
    """
    rates = EventRates(rate)
    change_policy(models / model, lambda policy: replace(policy, events=rates))
    deadline = time.monotonic() + _FOLLOW_S
    while time.monotonic() < deadline:
        found = requests.get(server.url("/v1/models"), timeout=_TIMEOUT_S).json()
        in_force = {each["name"]: each["events"] for each in found["models"]}
        if in_force[model] == rates.to_json():
            return
        time.sleep(_LOOK_S)
    raise BenchmarkError(f"The service does not store a share of {rate:g} of {model}.")


def _row(model: str, name: str, turns: Sequence[Mapping[str, Measurement]]) -> list[str]:
    taken = [turn[name] for turn in turns]
    none = f"{_NOTHING:.0%}"
    # Each beside none of the same turn.
    ratios = [turn[name].cpu_us_per_request / turn[none].cpu_us_per_request - 1 for turn in turns]
    middle, low, high = median_interval(ratios)
    return [
        f"{model}, {name}",
        number(median(each.requests_per_s for each in taken)),
        number(median(each.cpu_us_per_request for each in taken)),
        "" if name == none else f"{middle:+.1%} ({low:+.1%} to {high:+.1%})",
        str(sum(sum(each.failed.values()) for each in taken)),
    ]


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
