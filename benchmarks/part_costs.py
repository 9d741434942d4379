"""Measures what a part of the service costs a request, on and off by turns within one worker."""

import os
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.alternation import Alternating, PartCost, pairs_of, part_cost, read_turns
from benchmarks.load import Load, run_wrk
from benchmarks.process import Server
from benchmarks.service import running_service, warm_up

_APPLICATION = "benchmarks.servers.alternating:create_alternating()"


def alternating_service(
    part: Alternating, turns: Path, models: Path, scratch: Path, **settings: str
) -> AbstractContextManager[Server]:
    """Return a service of one worker in which a part is on and off by turns.

    Args:
        part: what is on and off.
        turns: the file that the turns are written to.
        models: the folder of models.
        scratch: where its log goes.
        **settings: further environment variables.
    """
    settings |= {"BENCHMARK_PART": part, "BENCHMARK_TURNS_FILE": str(turns)}
    return running_service(models, scratch, 1, application=_APPLICATION, **settings)


def measure_part(
    part: Alternating,
    models: Path,
    scratch: Path,
    path: str,
    body: Path,
    *,
    connections: int,
    seconds: int,
    **settings: str,
) -> tuple[Load, PartCost]:
    """Ask such a service for some time; return what the load saw, and the part's cost.

    Args:
        part: what is on and off.
        models: the folder of models.
        scratch: where its log goes.
        path: where to post.
        body: the file to post.
        connections: how many send at a time.
        seconds: for how long.
        **settings: further environment variables.

    Raises:
        BenchmarkError: the service does not start, or too few requests were answered to compare.
    """
    turns = scratch / f"turns-{part}"
    with alternating_service(part, turns, models, scratch, **settings) as server:
        warm_up(server, path, body)
        os.truncate(turns, 0)
        load = run_wrk(server.url(path), body, connections=connections, seconds=seconds)
        server.require_running()
        return load, part_cost(pairs_of(read_turns(turns)))
