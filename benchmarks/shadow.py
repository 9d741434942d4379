"""What clients notice of a version on trial: ``python -m benchmarks.shadow``.

A service of one worker has a trial, and none, by turns (``benchmarks.servers.alternating``):
a shadow that may take a fiftieth of the worker's idle time; and, while a tenth of the predictions
are stored, a shadow and second answers to those. The candidate has the champion's weights, so what
it costs is the trial.

The load sends at random moments (``random_arrivals.c``), at shares of the rate that the service has
just given in a closed loop. The service runs on one half of the processors, and the load on the
other.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import requests

from benchmarks.alternation import Alternating, pairs_of, part_cost, read_turns
from benchmarks.cases import Payload, choose
from benchmarks.cores import halves, on_cores
from benchmarks.dense import NETWORKS, Network
from benchmarks.errors import BenchmarkError
from benchmarks.latency_by_turns import QuantileByTurns, quantile_by_turns, read_times
from benchmarks.load import require_wrk, run_wrk
from benchmarks.models import golden_of, publish_dense
from benchmarks.open_loop import compile_load, run_open_loop
from benchmarks.part_costs import alternating_service
from benchmarks.process import Server, exit_on_sigterm
from benchmarks.service import predict_path, warm_up
from benchmarks.table import markdown_table, number
from service.repository.model_policy import begin_rollout
from service.repository.model_store import Store
from service.repository.policy_changes import change_policy
from service.repository.rollout_policy import RolloutRules, Stage

_CONNECTIONS = 32
_CLOSED_S = 3
# More than any run has: the rollout stays in its shadow, and is not decided.
_FOR_EVER_S = 10.0**8
_RULES = RolloutRules(shadow_batches=10**9, step_s=_FOR_EVER_S, deadline_s=_FOR_EVER_S)
_CHAMPION, _CANDIDATE = 1, 2
# The share of predictions that are stored, by what the trial is called then.
_TRIALS: Mapping[str, float] = {"shadow": 0.0, "shadow and second answers": 0.1}
# For how long a rollout is waited for, until all workers follow it.
_FOLLOW_S = 60.0
_LOOK_S = 0.5
_TIMEOUT_S = 30
_COUNTED_S = 5
_SECOND_ANSWERS = (
    r'^understudy_rollout_second_answers_total{{model="{model}",result="answered"}} (\S+)$'
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one row of the table is measured: a folder of its own, and the load's program."""

    folder: Path
    program: Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print a table; the exit status is 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shadow")
    parser.add_argument("--seconds", type=int, default=120, help="of each row of the table (120)")
    parser.add_argument(
        "--shares", type=float, nargs="+", default=[0.3, 0.5], help="of a closed loop (0.3 0.5)"
    )
    parser.add_argument("--models", nargs="+", default=[*NETWORKS], choices=NETWORKS, help="(all)")
    parser.add_argument("--trials", nargs="+", default=[*_TRIALS], choices=_TRIALS, help="(all)")
    options = parser.parse_args(arguments)
    try:
        require_wrk()
        with tempfile.TemporaryDirectory(prefix="understudy-shadow-") as name:
            program = compile_load(Path(name))
            rows = []
            for network in (NETWORKS[each] for each in options.models):
                for trial in options.trials:
                    stored = _TRIALS[trial]
                    folder = Path(name) / f"{network.name}-{stored}"
                    folder.mkdir()
                    place = Place(folder, program)
                    for row in _measure(place, network, trial, stored, options):
                        print(*row, sep=" | ", file=sys.stderr)
                        rows.append(row)
    except BenchmarkError as error:
        print(f"benchmarks.shadow: {error}", file=sys.stderr)
        return 1
    head = ["model, share of the closed loop's rate, trial", "sent/s", "p50 ms without, with"]
    head += ["p50 beside (95 %)", "p99 ms without, with", "p99 beside (95 %)"]
    head += ["CPU us/request without", "added (95 %)", "again/s", "dropped", "errors"]
    print(markdown_table(head, rows))
    return 0


def _measure(
    place: Place, network: Network, trial: str, stored: float, options: argparse.Namespace
) -> Iterator[list[str]]:
    models = Store(place.folder / "models")
    for _ in (_CHAMPION, _CANDIDATE):
        publish_dense(models, network)
    _begin(models.root / network.name)
    golden = golden_of(models.root, network.name)
    body = place.folder / "body.json"
    body.write_bytes(Payload(network.name, golden, choose(golden.examples, 1)).body())
    settings = {}
    if stored:
        settings["UNDERSTUDY_EVENTS"] = str(place.folder / "events.db")
        settings["UNDERSTUDY_EVENTS_RATE"] = str(stored)
    own, others = halves(os.sched_getaffinity(0))
    turns = place.folder / "turns"
    with (
        on_cores(own),
        alternating_service(
            Alternating.TRIAL, turns, models.root, place.folder, **settings
        ) as server,
        on_cores(others),
    ):
        _wait_for_rollout(server, network.name)
        path = predict_path(network.name)
        warm_up(server, path, body)
        for share in options.shares:
            yield [
                f"{network.name}, {share:.0%}, {trial}",
                *_take_row(server, place, network.name, path, body, turns, share, options.seconds),
            ]


def _take_row(
    server: Server,
    place: Place,
    model: str,
    path: str,
    body: Path,
    turns: Path,
    share: float,
    seconds: int,
) -> list[str]:
    closed = run_wrk(server.url(path), body, connections=_CONNECTIONS, seconds=_CLOSED_S)
    rate = share * closed.requests / closed.seconds
    before = _answered_again(server, model)
    times = place.folder / "times"
    os.truncate(turns, 0)
    load = run_open_loop(place.program, server.url(path), body, rate, seconds, times)
    server.require_running()
    pairs = pairs_of(read_turns(turns))
    # Workers say once a second what they have counted.
    time.sleep(_COUNTED_S)
    again = _answered_again(server, model) - before
    if not again:
        raise BenchmarkError(f"{model}: the candidate has answered nothing.")
    cost = part_cost(pairs)
    found = [quantile_by_turns(read_times(times), pairs, each) for each in (0.5, 0.99)]
    return [
        number(load.requests / seconds),
        *(words for quantile in found for words in _words(quantile)),
        number(cost.without_us),
        cost.share,
        # The trial is off for half of the time.
        number(2 * again / seconds),
        f"{load.dropped:,}",
        f"{load.failed:,}",
    ]


def _words(quantile: QuantileByTurns) -> tuple[str, str]:
    middle, low, high = (each - 1 for each in quantile.ratio)
    return (
        f"{number(quantile.without_ms)}, {number(quantile.with_ms)}",
        f"{middle:+.0%} ({low:+.0%} to {high:+.0%})",
    )


def _begin(folder: Path) -> None:
    """Let a model's rollout begin, of which it has the versions."""
    # Only the champion, until the rollout begins.
    (folder / "policy.json").write_text(json.dumps({"serve": {"versions": [_CHAMPION]}}))
    begin = partial(begin_rollout, champion=_CHAMPION, candidate=_CANDIDATE, rules=_RULES)
    change_policy(folder, begin)


def _wait_for_rollout(server: Server, model: str) -> None:
    """Wait until the candidate answers in the shadow.

    Raises:
        BenchmarkError: it does not begin to.
    """
    deadline = time.monotonic() + _FOLLOW_S
    found: dict[str, Any] = {}
    while time.monotonic() < deadline:
        found = _rollout(server, model)
        if found["state"] == Stage.SHADOW and found.get("stages"):
            return
        time.sleep(_LOOK_S)
    raise BenchmarkError(f"The rollout of {model} has not begun: {found.get('sentence')}")


def _answered_again(server: Server, model: str) -> int:
    """Return how many batches and requests have been answered again in the shadow."""
    stages = _rollout(server, model).get("stages", [])
    answer = requests.get(server.url("/metrics"), timeout=_TIMEOUT_S)
    second = re.findall(_SECOND_ANSWERS.format(model=model), answer.text, re.MULTILINE)
    batches = sum(int(each["shadow"]["batches"]) for each in stages)
    return batches + sum(int(float(count)) for count in second)


def _rollout(server: Server, model: str) -> dict[str, Any]:
    answer = requests.get(server.url(f"/v1/models/{model}/rollout"), timeout=_TIMEOUT_S)
    found: dict[str, Any] = answer.json()
    return found


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
