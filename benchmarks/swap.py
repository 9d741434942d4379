"""What clients notice of swaps: ``python -m benchmarks.swap``.

Models are retrained for real, then published one after the other while clients ask over
connections that stay open. Printed are throughput and latency while nothing happens and while
versions are swapped, in one run; how far apart the workers flipped; and every answer that failed,
or was not exactly its version's.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.process import ROOT, Server, free_port
from benchmarks.publishing import republish
from benchmarks.steady_clients import Answer, Target, watch
from service.repository.golden_examples import read_golden
from service.repository.model_store import Store

_MODEL = "mpg"
# Before the clients have all connected, and after the last swap.
_MARGIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Period:
    """What clients saw over a time: requests a second, and latencies in seconds."""

    rate: float
    p50: float
    p99: float
    worst: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 when an answer failed or was wrong."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except BenchmarkError as error:
        print(f"benchmarks.swap: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="understudy-swap-") as name:
        folder = Path(name)
        trained = _train(folder, options.swaps + 1)
        models, log = Store(folder / "models"), folder / "log"
        republish(models, _MODEL, trained[0])
        environ = {
            "MODELS": str(models.root),
            "PORT": str(port := free_port()),
            "UNDERSTUDY_WORKERS": str(options.workers),
        }
        command = [sys.executable, "-m", "gunicorn", "-c", "service/server/gunicorn.conf.py"]
        with Server("the service", command, port, environ, log) as server:
            server.wait_until_ready()
            answers, swapping_from = _watch_swaps(options, port, trained, models)
        expected = {n + 1: _golden_answer(version) for n, version in enumerate(trained)}
        flips = _flip_spreads(log)
        return _report(options, answers, swapping_from, expected, flips)


def _watch_swaps(
    options: argparse.Namespace, port: int, trained: list[Path], models: Store
) -> tuple[list[Answer], float]:
    """Publish all but the first version, and return the answers and when that began."""
    seconds = _MARGIN_S + options.steady + options.swaps * options.pause + _MARGIN_S
    body = json.dumps({"instances": [_golden_instance(trained[0])]}).encode()
    target = Target("127.0.0.1", port, f"/v1/models/{_MODEL}:predict", [body])
    # A process of its own, so that publishing does not slow the clients down.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        clients = pool.submit(watch, target, options.connections, seconds)
        time.sleep(_MARGIN_S + options.steady)
        swapping_from = time.monotonic()
        for version in trained[1:]:
            started = time.monotonic()
            republish(models, _MODEL, version)
            time.sleep(max(0.0, options.pause - (time.monotonic() - started)))
        return clients.result(), swapping_from


def _report(
    options: argparse.Namespace,
    answers: list[Answer],
    swapping_from: float,
    expected: dict[int, dict[str, Any]],
    flips: dict[int, float],
) -> int:
    began = answers[0].asked_at + _MARGIN_S
    steady = _period([a for a in answers if began <= a.asked_at < swapping_from])
    swapping = _period([a for a in answers if a.asked_at >= swapping_from])
    failed = [a for a in answers if a.status != 200]
    wrong = [a for a in answers if a.status == 200 and not _agrees(a, expected)]
    print(f"{options.connections} connections, {options.workers} workers, {options.swaps} swaps")
    print(f"{'':10}{'requests/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'worst ms':>10}")
    for name, period in (("steady", steady), ("swapping", swapping)):
        times = "".join(f"{1e3 * s:10.1f}" for s in (period.p50, period.p99, period.worst))
        print(f"{name:10}{period.rate:12.0f}{times}")
    print(f"p99 while swapping / steady: {swapping.p99 / steady.p99:.2f}")
    spreads = ", ".join(f"{1e3 * spread:.0f}" for _, spread in sorted(flips.items())[1:])
    print(f"ms between the first and the last worker's flip: {spreads}")
    print(f"answers {len(answers)}, failed {len(failed)}, not their version's {len(wrong)}")
    print(f"connections that saw a version go back: {_backwards(answers)}")
    seen = sorted({a.version for a in answers})
    print(f"versions seen: {seen}")
    return int(bool(failed or wrong or _backwards(answers) or len(seen) != len(expected)))


def _period(answers: list[Answer]) -> Period:
    seconds = sorted(answer.seconds for answer in answers)
    span = answers[-1].asked_at - answers[0].asked_at
    return Period(
        rate=len(answers) / span,
        p50=seconds[len(seconds) // 2],
        p99=seconds[math.ceil(0.99 * len(seconds)) - 1],
        worst=seconds[-1],
    )


def _agrees(answer: Answer, expected: dict[int, dict[str, Any]]) -> bool:
    want = expected.get(answer.version)
    return want is not None and all(
        math.isclose(answer.prediction[name], value, rel_tol=1e-4) for name, value in want.items()
    )


def _backwards(answers: list[Answer]) -> int:
    highest: dict[int, int] = {}
    back = set()
    for answer in answers:
        if answer.status == 200:
            if answer.version < highest.get(answer.connection, 0):
                back.add(answer.connection)
            highest[answer.connection] = answer.version
    return len(back)


def _flip_spreads(log: Path) -> dict[int, float]:
    """Return, by version, the seconds between the first and the last worker's flip to it."""
    flips: dict[int, list[float]] = {}
    for line in log.read_text().splitlines():
        if '"message": "Versions serve."' in line:
            entry = json.loads(line)
            moment = datetime.fromisoformat(entry["time"]).timestamp()
            flips.setdefault(entry["versions"][-1], []).append(moment)
    return {version: max(moments) - min(moments) for version, moments in flips.items()}


def _train(folder: Path, count: int) -> list[Path]:
    """Train ``count`` versions that differ, and return their folders."""
    store = Store(folder / "trained")
    for seed in range(1, count + 1):
        print(f"training {seed} of {count}", file=sys.stderr)
        options = ["--arch", "tutorial", "--epochs", "3", "--seed", str(seed)]
        done = subprocess.run(
            [sys.executable, "-m", "training", "train", _MODEL, *options, "--out", str(store.root)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchmarkError(f"training failed: {done.stderr.strip()[-500:]}")
    return list(store.versions(_MODEL).values())


def _golden_instance(version: Path) -> Any:
    golden = read_golden(version)
    if golden is None:
        raise BenchmarkError(f"{version} has no golden examples.")
    return golden.examples[0].instance


def _golden_answer(version: Path) -> dict[str, Any]:
    golden = read_golden(version)
    if golden is None:
        raise BenchmarkError(f"{version} has no golden examples.")
    return dict(golden.examples[0].prediction)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swap", description=__doc__)
    parser.add_argument("--swaps", type=int, default=10, help="versions to publish (10)")
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between them (3)")
    parser.add_argument("--steady", type=float, default=20.0, help="seconds before them (20)")
    parser.add_argument("--connections", type=int, default=32, help="clients (32)")
    parser.add_argument("--workers", type=int, default=2, help="workers of the service (2)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
