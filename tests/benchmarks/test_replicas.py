"""The simulations of many replicas, against closed formulas."""

import math

import numpy as np
import pytest

from benchmarks.queueing import Balance, erlang_c, mean_wait, wait_at, waits
from benchmarks.replica_costs import Prices, Store
from benchmarks.replica_swaps import Timing, flips, swap_times, windows

# Of a simulation of 200,000 requests that depend on each other.
_NEAR = 0.1


def test_erlangs_formula() -> None:
    """For one server it is the utilisation; for two 2 u^2 / (1 + u)."""
    assert erlang_c(0.7, 1) == pytest.approx(0.7)
    assert erlang_c(0.7, 2) == pytest.approx(2 * 0.7**2 / 1.7)
    assert 0 < erlang_c(0.9, 1000) < 1e-2
    assert wait_at(0.99, 0.5, 1) == pytest.approx(math.log(0.5 / 0.01) / 0.5)
    assert wait_at(0.5, 0.1, 4) == 0


@pytest.mark.parametrize(("utilisation", "servers"), [(0.5, 1), (0.7, 4), (0.8, 12)])
def test_the_simulated_queue_waits_as_the_formula_says(utilisation: float, servers: int) -> None:
    found = waits(utilisation, servers, requests=200_000)
    assert found.mean() == pytest.approx(mean_wait(utilisation, servers), rel=_NEAR)
    assert np.quantile(found, 0.99) == pytest.approx(wait_at(0.99, utilisation, servers), rel=_NEAR)


@pytest.mark.parametrize("variation", [0.0, 2.0])
def test_one_server_waits_as_pollaczek_and_khinchine_say(variation: float) -> None:
    found = waits(0.6, 1, variation=variation, requests=200_000)
    exact = 0.6 / (1 - 0.6) * (1 + variation**2) / 2
    assert found.mean() == pytest.approx(exact, rel=2 * _NEAR)


def test_who_chooses_the_server_decides_how_long_requests_wait() -> None:
    by = {balance: waits(0.8, 12, balance=balance, requests=50_000).mean() for balance in Balance}
    assert by[Balance.RANDOM] == pytest.approx(mean_wait(0.8, 1), rel=2 * _NEAR)
    assert by[Balance.ONE_QUEUE] < by[Balance.LEAST] < by[Balance.ROUND_ROBIN]
    assert by[Balance.ROUND_ROBIN] < by[Balance.RANDOM]


def test_replicas_swap_within_an_interval_and_what_follows() -> None:
    """Without anything else the range of n uniform times is (n - 1) / (n + 1) on average."""
    alone = Timing(30, jitter=0, fetch_s=0, poll_s=0, load_s=0)
    assert windows(swap_times(alone, 10, 5000)).mean() == pytest.approx(30 * 9 / 11, rel=0.02)
    times = swap_times(Timing(), 100, 200)
    assert times.max() <= 30 * 1.1 + 1.3 + 1 + 1.3
    # Intervals into which more falls are longer: the mean of their rest is E[X^2] / 2 E[X].
    assert (times - 2.5).mean() == pytest.approx((1 + 0.2**2 / 12) * 15, rel=0.02)


def test_a_client_of_one_replica_never_goes_back() -> None:
    alone = Timing(30, jitter=0, fetch_s=0, poll_s=0, load_s=0)
    times = swap_times(alone, 300, 500)
    assert flips(times, 1, sticks=True).backwards == 0
    seen = flips(times, 1)
    # A share p of the replicas that rises from 0 to 1 is new, and d more at the next request: the
    # integral of p (1 - p - d) / d, from 0 to 1 - d.
    d = 1 / 30
    assert seen.backwards == pytest.approx((1 - d) ** 3 / (6 * d), rel=_NEAR)
    assert seen.changes == pytest.approx(2 * seen.backwards + 1, rel=_NEAR)


def test_what_the_object_store_guide_says_that_looks_cost() -> None:
    assert Store().lists_a_day(1) == 11_520
    assert Store(interval_s=300).lists_a_day(1) == 1_152
    free = Store(publications=0).usd_a_month(10, Prices())
    assert free == pytest.approx(11_520 * 10 * 30 * 0.005 / 1000)
