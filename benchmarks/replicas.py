"""What many replicas cost, and how far apart they swap: ``python -m benchmarks.replicas``.

Nothing is served: prices and sizes are stated, and swaps and queues are simulated. It takes numpy
and a minute; docs/scaling.md has the tables.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.queueing import Balance, mean_wait, wait_at, waits
from benchmarks.replica_costs import Prices, Service, Store
from benchmarks.replica_swaps import Timing, flips, swap_times, windows
from benchmarks.table import markdown_table, number

_REPLICAS = (3, 10, 100, 1000)
_INTERVALS_S = (5.0, 30.0, 300.0)
_EVERY_S = (0.1, 1.0, 10.0)
_TAIL = 0.99


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replicas")
    parser.add_argument("--trials", type=int, default=2000, help="publications, clients (2000)")
    parser.add_argument("--requests", type=int, default=400_000, help="in a queue (400000)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    for table in (
        _costs(),
        _store(),
        _windows(options.trials, options.seed),
        _clients(options.trials, options.seed),
        _utilisation(options.requests, options.seed),
        _balancing(options.requests, options.seed),
    ):
        print(f"{table}\n", flush=True)
    return 0


def _costs() -> str:
    store, service, prices = Store(), Service(), Prices()
    rows = []
    for replicas in _REPLICAS:
        workers = replicas * service.workers
        rows.append(
            [
                f"{replicas:,}",
                number(store.lists_a_day(replicas)),
                number(store.usd_a_month(replicas, prices)),
                number(replicas * service.requests_s * service.events_rate),
                number(workers / service.counts_s + replicas / service.counts_s),
                number(workers * service.counts_bytes / service.counts_s / 1e6),
                number(workers * service.connections),
                number(replicas * service.series),
                number(replicas * service.series / service.scrape_s),
                number(replicas * service.memory_mb / 1000),
            ]
        )
    head = [
        "replicas",
        "store requests/day",
        "USD/month",
        "events/s",
        "rollout statements/s",
        "read by the decider MB/s",
        "connections",
        "series",
        "samples/s",
        "memory GB",
    ]
    return markdown_table(head, rows)


def _store() -> str:
    prices = Prices()
    rows = [
        [
            f"{interval_s:.0f} s",
            *(
                number(replace(Store(), interval_s=interval_s).usd_a_month(replicas, prices))
                for replicas in _REPLICAS
            ),
        ]
        for interval_s in _INTERVALS_S
    ]
    return markdown_table(["interval: USD/month for", *map(str, _REPLICAS)], rows)


def _windows(trials: int, seed: int) -> str:
    rows = []
    for interval_s in _INTERVALS_S:
        for replicas in _REPLICAS:
            times = swap_times(Timing(interval_s), replicas, trials, seed)
            last, apart = times.max(axis=1), windows(times)
            shown = [np.median(times), np.median(last), np.quantile(last, _TAIL)]
            shown += [np.median(apart), np.quantile(apart, _TAIL)]
            rows.append([f"{interval_s:.0f} s, {replicas:,}", *(f"{each:.1f}" for each in shown)])
    head = ["interval, replicas", "one swaps after", "the last after", "p99"]
    return markdown_table([*head, "different versions for", "p99"], rows)


def _clients(trials: int, seed: int) -> str:
    rows = []
    for interval_s in _INTERVALS_S:
        times = swap_times(Timing(interval_s), 10, trials, seed)
        for every_s in _EVERY_S:
            any_one = flips(times, every_s, seed=seed)
            one = flips(times, every_s, sticks=True, seed=seed)
            rows.append(
                [
                    f"{interval_s:.0f} s, every {every_s:g} s",
                    f"{any_one.changes:.2f}",
                    f"{any_one.backwards:.2f}",
                    f"{100 * any_one.affected:.0f} %",
                    f"{one.backwards:.2f}",
                ]
            )
    head = ["interval, a request", "changes", "back to the old", "clients that go back"]
    return markdown_table([*head, "back, with one replica a client"], rows)


def _utilisation(requests: int, seed: int) -> str:
    rows = []
    for utilisation in (0.5, 0.7, 0.8, 0.9, 0.95):
        row = [f"{100 * utilisation:.0f} %"]
        for servers in (1, 4, 12, 40):
            exact = wait_at(_TAIL, utilisation, servers)
            varied = waits(utilisation, servers, variation=2.0, requests=requests, seed=seed)
            row.append(f"{exact:.2f} ({np.quantile(varied, _TAIL):.2f})")
        rows.append(row)
    return markdown_table(["busy: p99 of the wait with", "1", "4", "12", "40 workers"], rows)


def _balancing(requests: int, seed: int) -> str:
    rows = []
    for utilisation in (0.5, 0.8, 0.9):
        row = [f"{100 * utilisation:.0f} %", f"{mean_wait(utilisation, 12):.2f}"]
        for balance in Balance:
            waited = waits(utilisation, 12, balance=balance, requests=requests, seed=seed)
            row.append(f"{waited.mean():.2f}, {np.quantile(waited, _TAIL):.2f}")
        rows.append(row)
    head = ["12 workers, busy", "mean by Erlang", *(f"{each}: mean, p99" for each in Balance)]
    return markdown_table(head, rows)


if __name__ == "__main__":
    sys.exit(main())
