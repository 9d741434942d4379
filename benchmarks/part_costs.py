"""Measures what a part of the service costs a request, on and off by turns within one worker."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType

from benchmarks.alternation import (
    PART,
    TURNS_FILE,
    Alternating,
    PartCost,
    pairs_of,
    part_cost,
    read_turns,
)
from benchmarks.load import NO_HEADERS, Load, run_wrk
from benchmarks.process import Server
from benchmarks.service import running_service

NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
_WARM_UP_S = 2
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
    settings |= {PART: part, TURNS_FILE: str(turns)}
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
    headers: Mapping[str, str] = NO_HEADERS,
    settings: Mapping[str, str] = NO_SETTINGS,
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
        headers: further headers of each request.
        settings: further environment variables.

    Raises:
        BenchmarkError: the service does not start, or too few requests were answered to compare.
    """
    turns = scratch / f"turns-{part}"
    with alternating_service(part, turns, models, scratch, **settings) as server:
        url = server.url(path)
        run_wrk(url, body, connections=connections, seconds=_WARM_UP_S, headers=headers)
        os.truncate(turns, 0)
        load = run_wrk(url, body, connections=connections, seconds=seconds, headers=headers)
        server.require_running()
        return load, part_cost(pairs_of(read_turns(turns)))
