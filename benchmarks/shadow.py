"""What clients notice of a version on trial: ``python -m benchmarks.shadow``.

Services that are alike but for their rollout are asked by turns, seconds apart: without one, with a
shadow that may take a tenth of a worker's idle time, and all of it; and, while a tenth of the
predictions are stored, without a rollout and with one whose stored requests the other version
answers again. The candidate has the champion's weights, so what it costs is the trial.

The load is that of ``benchmarks.open_loop``: it sends at random moments, at shares of the rate that
the service without a rollout has just given in a closed loop. The services run on one half of the
processors, and the load on the other. Each is compared with the service beside which it has nothing
but the rollout, in the same round.
"""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import requests

from benchmarks import procfs
from benchmarks.cases import Payload, choose
from benchmarks.cores import halves, on_cores
from benchmarks.dense import NETWORKS
from benchmarks.errors import BenchmarkError
from benchmarks.load import require_wrk, run_wrk
from benchmarks.models import golden_of, publish_dense
from benchmarks.open_loop import OpenLoad, compile_load, run_open_loop
from benchmarks.process import Server, exit_on_sigterm
from benchmarks.service import predict_path, running_service, warm_up
from benchmarks.table import markdown_table, number
from service.repository.model_policy import begin_rollout
from service.repository.model_store import Store
from service.repository.policy_changes import change_policy
from service.repository.rollout_policy import RolloutRules, Stage

_CONNECTIONS = 32
_SHARES = (0.30, 0.50)
_CLOSED_S = 1
# Longer than any run: the rollout stays in its first step.
_FOR_EVER_S = 10.0**8
_CHAMPION, _CANDIDATE = 1, 2
# For how long a rollout is waited for, until all workers follow it.
_FOLLOW_S = 60.0
_LOOK_S = 0.5
_TIMEOUT_S = 30
_COUNTED_S = 5
_SECOND_ANSWERS = (
    r'^understudy_rollout_second_answers_total{{model="{model}",result="answered"}} (\S+)$'
)


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the services.

    Attributes:
        name: what it is called.
        beside: the name of the one that it is compared with; its own where it is the measure.
        events: the share of predictions that are stored.
        rules: of its rollout; ``None`` without one.
    """

    name: str
    beside: str
    events: float = 0.0
    rules: RolloutRules | None = None


def _rules(share: float) -> RolloutRules:
    return RolloutRules(shadow_share=share, step_s=_FOR_EVER_S, deadline_s=_FOR_EVER_S)


_VARIANTS = (
    Variant("no rollout", "no rollout"),
    Variant("shadow, 10 %", "no rollout", rules=_rules(0.1)),
    Variant("shadow, 100 %", "no rollout", rules=_rules(1.0)),
    Variant("10 % stored", "10 % stored", events=0.1),
    Variant("10 % stored, shadow and second answers", "10 % stored", 0.1, _rules(0.1)),
)


@dataclass(frozen=True, slots=True)
class Round:
    """One open loop against one service.

    Attributes:
        load: what the load saw.
        cpu_us: processor time of the service, in us a request.
    """

    load: OpenLoad
    cpu_us: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print a table; the exit status is 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shadow")
    parser.add_argument("--rounds", type=int, default=9, help="of each row of the table (9)")
    parser.add_argument("--seconds", type=int, default=3, help="of each open loop (3)")
    options = parser.parse_args(arguments)
    try:
        require_wrk()
        own, others = halves(os.sched_getaffinity(0))
        with tempfile.TemporaryDirectory(prefix="understudy-shadow-") as name, ExitStack() as stack:
            folder = Path(name)
            program = compile_load(folder)
            models = Store(folder / "models")
            for network in NETWORKS.values():
                for _ in (_CHAMPION, _CANDIDATE):
                    publish_dense(models, network)
            with on_cores(own):
                servers = {
                    each: stack.enter_context(_started(each, models.root, folder, len(own), place))
                    for place, each in enumerate(_VARIANTS)
                }
            stack.enter_context(on_cores(others))
            rows = [
                row
                for model in NETWORKS
                for row in _measure(servers, program, models.root, folder, model, options)
            ]
    except BenchmarkError as error:
        print(f"benchmarks.shadow: {error}", file=sys.stderr)
        return 1
    head = ["model, share of the closed loop's rate, service", "sent/s", "p50 ms"]
    head += ["p99 ms (range)", "beside (range)", "CPU us/request (beside none)"]
    print(markdown_table([*head, "again/s", "dropped", "errors"], rows))
    return 0


def _started(
    variant: Variant, models: Path, folder: Path, workers: int, place: int
) -> AbstractContextManager[Server]:
    """Start a service with models of its own, and their rollouts."""
    own = folder / f"models-{place}"
    shutil.copytree(models, own)
    for model in NETWORKS:
        # Only the champion, until the rollout begins.
        policy = {"serve": {"versions": [_CHAMPION]}}
        (own / model / "policy.json").write_text(json.dumps(policy))
        if variant.rules is not None:
            begin = partial(
                begin_rollout, champion=_CHAMPION, candidate=_CANDIDATE, rules=variant.rules
            )
            change_policy(own / model, begin)
    settings = {}
    if variant.events:
        settings["UNDERSTUDY_EVENTS"] = str(folder / f"events-{place}.db")
        settings["UNDERSTUDY_EVENTS_RATE"] = str(variant.events)
    return running_service(own, folder, workers, **settings)


def _measure(
    servers: dict[Variant, Server],
    program: Path,
    models: Path,
    folder: Path,
    model: str,
    options: argparse.Namespace,
) -> list[list[str]]:
    golden = golden_of(models, model)
    body = folder / f"{model}.json"
    body.write_bytes(Payload(model, golden, choose(golden.examples, 1)).body())
    path = predict_path(model)
    for variant, server in servers.items():
        if variant.rules is not None:
            _wait_for_rollout(server, model)
        warm_up(server, path, body)
    rows = []
    for share in _SHARES:
        before = _answered_again(servers, model)
        turns = [
            _take_turn(servers, program, path, body, share, options.seconds)
            for _ in range(options.rounds)
        ]
        # Workers say once a second what they have counted.
        time.sleep(_COUNTED_S)
        after = _answered_again(servers, model)
        for variant in servers:
            again = after[variant.name] - before[variant.name]
            if variant.rules is not None and not again:
                raise BenchmarkError(f"{variant.name}: the candidate has answered nothing.")
            again_per_s = again / (options.rounds * options.seconds)
            rows.append(_row(f"{model}, {share:.0%}", variant, turns, again_per_s, options.seconds))
    return rows


def _take_turn(
    servers: dict[Variant, Server],
    program: Path,
    path: str,
    body: Path,
    share: float,
    seconds: int,
) -> dict[str, Round]:
    """Ask each service at the same rate, one after the other."""
    first = next(iter(servers.values()))
    closed = run_wrk(first.url(path), body, connections=_CONNECTIONS, seconds=_CLOSED_S)
    rate = share * closed.requests / closed.seconds
    taken = {}
    for variant, server in servers.items():
        server.require_running()
        cpu_s = procfs.cpu_seconds(server.pid)
        load = run_open_loop(program, server.url(path), body, rate, seconds)
        cpu_us = 1e6 * (procfs.cpu_seconds(server.pid) - cpu_s) / max(1, load.requests)
        taken[variant.name] = Round(load, cpu_us)
    return taken


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


def _answered_again(servers: Mapping[Variant, Server], model: str) -> dict[str, int]:
    """Return how many batches and requests each service has answered again, for nobody."""
    found = {}
    for variant, server in servers.items():
        stages = _rollout(server, model).get("stages", [])
        answer = requests.get(server.url("/metrics"), timeout=_TIMEOUT_S)
        second = re.findall(_SECOND_ANSWERS.format(model=model), answer.text, re.MULTILINE)
        batches = sum(int(each["shadow"]["batches"]) for each in stages)
        found[variant.name] = batches + sum(int(float(count)) for count in second)
    return found


def _rollout(server: Server, model: str) -> dict[str, Any]:
    answer = requests.get(server.url(f"/v1/models/{model}/rollout"), timeout=_TIMEOUT_S)
    found: dict[str, Any] = answer.json()
    return found


def _row(
    title: str,
    variant: Variant,
    turns: Sequence[Mapping[str, Round]],
    again_per_s: float,
    seconds: int,
) -> list[str]:
    rounds = [turn[variant.name] for turn in turns]
    beside = [turn[variant.beside] for turn in turns]
    tails = [each.load.p99_ms for each in rounds]
    tail = f"{number(median(tails))} ({number(min(tails))} to {number(max(tails))})"
    cost = number(median(each.cpu_us for each in rounds))
    ratio = ""
    if variant.name != variant.beside:
        pairs = list(zip(rounds, beside, strict=True))
        ratios = [one.load.p99_ms / other.load.p99_ms - 1 for one, other in pairs]
        ratio = f"{median(ratios):+.0%} ({min(ratios):+.0%} to {max(ratios):+.0%})"
        cost += f" ({median([one.cpu_us / other.cpu_us - 1 for one, other in pairs]):+.1%})"
    return [
        f"{title}, {variant.name}",
        number(median(each.load.requests for each in rounds) / seconds),
        number(median(each.load.p50_ms for each in rounds)),
        tail,
        ratio,
        cost,
        number(again_per_s),
        f"{sum(each.load.dropped for each in rounds):,}",
        f"{sum(each.load.failed for each in rounds):,}",
    ]


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
