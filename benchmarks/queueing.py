"""How long requests wait, by how busy servers are, how many, and who chooses among them.

A simulation, whose single queue a closed formula checks (Erlang's C). Times are in units of the
mean time of service.
"""

import heapq
import math
from collections.abc import Callable, Iterator
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# Requests at the beginning that are not counted: the servers begin idle.
_WARM_UP = 0.1


class Balance(StrEnum):
    """Who gets the next request.

    One queue for all servers is what no balancer can be better than. A random server is what
    many connections come to that were each given a server once.
    """

    ONE_QUEUE = "one queue"
    LEAST = "fewest waiting"
    ROUND_ROBIN = "in turns"
    RANDOM = "at random"


def waits(
    utilisation: float,
    servers: int,
    *,
    variation: float = 1.0,
    balance: Balance = Balance.ONE_QUEUE,
    requests: int = 200_000,
    seed: int = 1,
) -> Floats:
    """Return the times that requests wait before they are served, shape [requests - warm-up].

    Args:
        utilisation: the share of their time that servers are busy, above 0 and below 1.
        servers: how many there are.
        variation: the standard deviation of the time of service, in its means: 0 where all take as
            long, 1 for an exponential distribution; else a log-normal one.
        balance: who gets the next request.
        requests: how many arrive, independently of each other.
        seed: of the random numbers.
    """
    random = np.random.default_rng(seed)
    arrivals = np.cumsum(random.exponential(1 / (utilisation * servers), requests))
    served = _times_of_service(random, requests, variation)
    found = _SIMULATIONS[balance](arrivals, served, servers, random)
    waited = np.fromiter(found, np.float64, requests)
    return waited[int(_WARM_UP * requests) :]


def erlang_c(utilisation: float, servers: int) -> float:
    """Return the chance that a request waits at all, in M/M/k."""
    offered = utilisation * servers
    # By recursion over Erlang's B, which neither overflows nor cancels.
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return blocked / (1 - utilisation * (1 - blocked))


def mean_wait(utilisation: float, servers: int) -> float:
    """Return the mean wait in M/M/k, in mean times of service."""
    return erlang_c(utilisation, servers) / (servers * (1 - utilisation))


def wait_at(share: float, utilisation: float, servers: int) -> float:
    """Return the wait that ``share`` of the requests do not exceed in M/M/k, as ``mean_wait``."""
    waiting = erlang_c(utilisation, servers)
    if waiting <= 1 - share:
        return 0.0
    return math.log(waiting / (1 - share)) / (servers * (1 - utilisation))


def _times_of_service(random: np.random.Generator, count: int, variation: float) -> Floats:
    if variation == 0:
        return np.ones(count)
    if variation == 1:
        return random.exponential(1.0, count)
    sigma = math.sqrt(math.log1p(variation**2))
    return random.lognormal(-(sigma**2) / 2, sigma, count)


def _one_queue(
    arrivals: Floats, served: Floats, servers: int, random: np.random.Generator
) -> Iterator[float]:
    free_at = [0.0] * servers
    for arrival, duration in zip(arrivals.tolist(), served.tolist(), strict=True):
        start = max(arrival, free_at[0])
        heapq.heapreplace(free_at, start + duration)
        yield start - arrival


def _separate(
    arrivals: Floats, served: Floats, chosen: Iterator[int], servers: int
) -> Iterator[float]:
    free_at = [0.0] * servers
    for arrival, duration, server in zip(arrivals.tolist(), served.tolist(), chosen, strict=False):
        start = max(arrival, free_at[server])
        free_at[server] = start + duration
        yield start - arrival


def _at_random(
    arrivals: Floats, served: Floats, servers: int, random: np.random.Generator
) -> Iterator[float]:
    chosen = iter(random.integers(servers, size=len(arrivals)).tolist())
    return _separate(arrivals, served, chosen, servers)


def _in_turns(
    arrivals: Floats, served: Floats, servers: int, random: np.random.Generator
) -> Iterator[float]:
    turns = iter((np.arange(len(arrivals)) % servers).tolist())
    return _separate(arrivals, served, turns, servers)


def _fewest(
    arrivals: Floats, served: Floats, servers: int, random: np.random.Generator
) -> Iterator[float]:
    """Give each request to the server that holds the fewest, as HAProxy's ``leastconn`` does."""
    held = [0] * servers
    free_at = [0.0] * servers
    ends: list[tuple[float, int]] = []
    for arrival, duration in zip(arrivals.tolist(), served.tolist(), strict=True):
        while ends and ends[0][0] <= arrival:
            held[heapq.heappop(ends)[1]] -= 1
        server = held.index(min(held))
        start = max(arrival, free_at[server])
        free_at[server] = start + duration
        held[server] += 1
        heapq.heappush(ends, (free_at[server], server))
        yield start - arrival


_Simulation = Callable[[Floats, Floats, int, np.random.Generator], Iterator[float]]
_SIMULATIONS: dict[Balance, _Simulation] = {
    Balance.ONE_QUEUE: _one_queue,
    Balance.LEAST: _fewest,
    Balance.ROUND_ROBIN: _in_turns,
    Balance.RANDOM: _at_random,
}
