"""What keys, ``Server-Timing`` and traces cost a request: ``python -m benchmarks.observing``.

Keys and ``Server-Timing`` are on and off by turns within one worker
(``benchmarks.servers.alternating``). A caller's ``traceparent`` is measured by turns of the same
load against one service, and so is, with ``--before``, an earlier checkout; that is a process of
its own, and two of those differ by some hundredths even where they do the same. Printed is the
processor time of a request, over all processes of the service, which has one worker.
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.alternation import Alternating, PartCost
from benchmarks.cases import Payload, choose
from benchmarks.contestants import CONTESTANTS, OURS
from benchmarks.dense import ROWS
from benchmarks.errors import BenchmarkError
from benchmarks.load import NO_HEADERS, require_wrk
from benchmarks.measure import Measurement, measure
from benchmarks.medians import median_interval
from benchmarks.models import golden_of, publish_dense
from benchmarks.part_costs import NO_SETTINGS, measure_part
from benchmarks.process import HOST, ROOT, Server, exit_on_sigterm, free_port
from benchmarks.service import predict_path
from benchmarks.table import markdown_table
from service.access.key_file import change_keys, new_key
from service.repository.model_store import Store

_AS_IT_IS = "as it is"
_KEYS = 1000
_WARM_UP_S = 3
_PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A service, and how it is asked.

    Attributes:
        name: what differs, for people.
        is_first: whether it is the first one's process that is asked, and not one of its own.
        headers: what each request brings besides.
        folder: the checkout that a service of its own runs.
    """

    name: str
    is_first: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    folder: Path = ROOT


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print a table; the exit status is 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.observing")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each service (9)")
    parser.add_argument("--seconds", type=int, default=4, help="of each turn (4)")
    parser.add_argument(
        "--part-seconds", type=int, default=120, help="of turns with a part and without (120)"
    )
    parser.add_argument("--connections", type=int, default=32, help="that ask at a time (32)")
    parser.add_argument("--before", type=Path, help="an earlier checkout, to compare with")
    options = parser.parse_args(arguments)
    try:
        require_wrk()
        with tempfile.TemporaryDirectory(prefix="understudy-observing-") as folder:
            parts, costs, elsewhere = _run(options, Path(folder))
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    print(markdown_table(["service", "CPU us a request", "difference, us"], rows_of(costs)))
    print()
    head = ["part", "CPU us a request without", "added, us (95 % interval)", "pairs of turns"]
    print(markdown_table(head, [_part_row(name, cost) for name, cost in parts.items()]))
    print(f"\nElsewhere on the machine: {elsewhere:.0%} of its processors, in the median.")
    return 0


def rows_of(costs: Mapping[str, Sequence[float]]) -> list[list[str]]:
    """Return a row for each service: its median, and its differences from the first one's.

    Beside the median difference stands its 95 % confidence interval; fewer than six rounds give
    none ("nan").

    Args:
        costs: microseconds a request, one for each round, by the services' names.
    """
    base = next(iter(costs.values()))
    rows = []
    for name, found in costs.items():
        differences = [one - other for one, other in zip(found, base, strict=True)]
        middle, low, high = median_interval(differences)
        compared = f"{middle:+.1f} ({low:+.1f} to {high:+.1f})"
        rows.append([name, f"{median(found):.1f}", "" if found is base else compared])
    return rows


def _part_row(name: str, cost: PartCost) -> list[str]:
    middle, low, high = cost.added_us
    added = f"{middle:+.2f} ({low:+.2f} to {high:+.2f})"
    return [name, f"{cost.without_us:.1f}", added, f"{cost.pairs:,}"]


def _run(
    options: argparse.Namespace, scratch: Path
) -> tuple[dict[str, PartCost], dict[str, list[float]], float]:
    models = scratch / "models"
    publish_dense(Store(models), ROWS)
    golden = golden_of(models, ROWS.name)
    payload = Payload(ROWS.name, golden, choose(golden.examples, 1))
    protocol = CONTESTANTS[OURS].protocol
    body = scratch / "body.json"
    body.write_bytes(payload.body(protocol))
    path = predict_path(ROWS.name)
    keys, key = _make_keys(scratch)
    settings = {Alternating.KEYS: {"UNDERSTUDY_KEYS_FILE": str(keys)}}
    names = {
        Alternating.SERVER_TIMING: "`Server-Timing`",
        Alternating.KEYS: f"{_KEYS:,} API keys",
    }
    parts = {
        name: measure_part(
            part,
            models,
            scratch,
            path,
            body,
            connections=options.connections,
            seconds=options.part_seconds,
            headers={"X-API-Key": key} if part is Alternating.KEYS else NO_HEADERS,
            settings=settings.get(part, NO_SETTINGS),
        )[1]
        for part, name in names.items()
    }
    variants = list(_variants(options.before))
    costs: dict[str, list[float]] = {variant.name: [] for variant in variants}
    elsewhere = []
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(_started(variants[0], models, scratch))
        running = [
            (each, first if each.is_first else stack.enter_context(_started(each, models, scratch)))
            for each in variants
        ]

        def take_turn(variant: Variant, server: Server, seconds: int) -> Measurement:
            found = measure(
                server,
                path,
                body,
                connections=options.connections,
                seconds=seconds,
                headers=variant.headers,
            )
            if found.failed:
                raise BenchmarkError(f"{variant.name}: {found.failed} failed.")
            return found

        for variant, server in running:
            take_turn(variant, server, _WARM_UP_S)
        for round_ in range(options.rounds):
            print(f"round {round_ + 1} of {options.rounds}", file=sys.stderr, flush=True)
            # To and fro, so that none profits from its place.
            for variant, server in running if round_ % 2 else reversed(running):
                found = take_turn(variant, server, options.seconds)
                costs[variant.name].append(found.cpu_us_per_request)
                elsewhere.append(found.elsewhere)
    return parts, costs, median(elsewhere)


def _variants(before: Path | None) -> Iterator[Variant]:
    yield Variant(name=_AS_IT_IS, is_first=True)
    if before is not None:
        yield Variant(name="before", folder=before.absolute())
    yield Variant(name="asked with `traceparent`", is_first=True, headers={"traceparent": _PARENT})


def _make_keys(scratch: Path) -> tuple[Path, str]:
    """Write a file of many keys, and return it and one of them."""
    path = scratch / "keys.json"
    made = [new_key(f"key-{number}") for number in range(_KEYS)]
    change_keys(path, lambda known: known.update({entry.name: entry for _, entry in made}))
    return path, made[-1][0]


@contextlib.contextmanager
def _started(variant: Variant, models: Path, scratch: Path) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, *CONTESTANTS[OURS].command(port, 1)]
    environ = {
        "MODELS": str(models),
        "HOST": HOST,
        "PORT": str(port),
        "UNDERSTUDY_WORKERS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    log = scratch / "service.log"
    with Server(variant.name, command, port, environ, log, folder=variant.folder) as server:
        server.wait_until_ready()
        yield server


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
