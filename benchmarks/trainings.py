"""How many trainings gain from processes and nodes: ``python -m benchmarks.trainings``.

A fleet of equal trainings, one after the other, in processes, and on clusters of Ray whose nodes
are processes of this machine with a processor each. All must come to the same weights.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks import procfs
from benchmarks.errors import BenchmarkError
from benchmarks.machine import machine
from benchmarks.orphans import adopt_orphans, wait_for_orphans
from benchmarks.process import ROOT, exit_on_sigterm
from benchmarks.ray_nodes import ray_nodes
from benchmarks.table import markdown_table, number
from service.repository.manifest import listed_files
from service.repository.model_store import Store

# A fork server and its children end soon after their command; the nodes of Ray stay.
_ORPHANS_S = 2.0
_ON = "--on"
_WEIGHTS = "variables/variables.data-00000-of-00001"
_FLEET = """
[defaults]
task = "mpg"
epochs = {epochs}
"""
_TRAINING = """
[[training]]
name = "{name}"
out = "{name}"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its table; the exit status is 1 when it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trainings")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median is taken (3)")
    parser.add_argument("--trainings", type=int, default=4, help="of the fleet (4)")
    parser.add_argument("--epochs", type=int, default=60, help="of each training (60)")
    options = parser.parse_args(arguments)
    try:
        adopt_orphans()
        _run(options.rounds, options.trainings, options.epochs)
    except BenchmarkError as error:
        print(f"benchmarks.trainings: {error}", file=sys.stderr)
        return 1
    return 0


def _run(rounds: int, trainings: int, epochs: int) -> None:
    print(f"{trainings} trainings of mpg, {epochs} epochs each, on {machine()}\n")
    weights: set[str] = set()
    one: float | None = None
    print(markdown_table(["where", "seconds", "speed-up", "processor elsewhere"], []), flush=True)
    for where, ways in (
        ("1 process", _here(1)),
        ("2 processes", _here(2)),
        ("Ray, 1 node", _on_nodes(1)),
        ("Ray, 2 nodes", _on_nodes(2)),
    ):
        with ways as way:
            runs = [_train(trainings, epochs, way, weights) for _ in range(rounds)]
        seconds = median(seconds for seconds, _ in runs)
        one = one or seconds
        # A Ray node waits for none of its workers, so their time is in nobody's.
        is_known = way[0] != _ON
        others = f"{max(share for _, share in runs):.0%}" if is_known else "not known"
        print(f"| {where} | {number(seconds)} | {number(one / seconds)} | {others} |", flush=True)
    print(f"\nDifferent weights among {trainings * rounds * 4} trainings: {len(weights)}")


@contextmanager
def _here(jobs: int) -> Iterator[list[str]]:
    yield ["--jobs", str(jobs)]


@contextmanager
def _on_nodes(count: int) -> Iterator[list[str]]:
    with ray_nodes(count) as cluster:
        yield [_ON, cluster.address]


def _train(
    trainings: int, epochs: int, options: Sequence[str], weights: set[str]
) -> tuple[float, float]:
    """Train a fleet anew, and add the hashes of its weights to ``weights``.

    Returns:
        how many seconds it took, and the largest share of the processors that others may have had:
        what was busy and was not the command's or its nodes'.

    Raises:
        BenchmarkError: it does not end well.
    """
    with tempfile.TemporaryDirectory(prefix="understudy-trainings-") as name:
        folder = Path(name)
        names = [f"t{number}" for number in range(trainings)]
        text = _FLEET.format(epochs=epochs) + "".join(_TRAINING.format(name=n) for n in names)
        (folder / "fleet.toml").write_text(text)
        command = [sys.executable, "-m", "understudy", "fleet", "fleet.toml", *options]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        own = os.getpid()
        before, own_before, began = procfs.machine_time(), procfs.cpu_seconds(own), time.monotonic()
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
        seconds = time.monotonic() - began
        wait_for_orphans(_ORPHANS_S)
        after, own_after = procfs.machine_time(), procfs.cpu_seconds(own)
        if done.returncode:
            raise BenchmarkError(f"{' '.join(command)}: {done.stderr}")
        for each in names:
            version = Store(folder / each).versions("mpg")[1]
            weights.add(listed_files(version)[_WEIGHTS]["sha256"])
    busy = after.busy_s - before.busy_s
    return seconds, max(0.0, busy - (own_after - own_before)) / (after.total_s - before.total_s)


if __name__ == "__main__":
    exit_on_sigterm()
    sys.exit(main())
