"""Medians over rounds, and ratios within a round."""

import pytest

from benchmarks.measure import Measurement, share_elsewhere
from benchmarks.procfs import MachineTime
from benchmarks.results import Results, Spread


def measurement(requests: int, **changes: object) -> Measurement:
    values = {
        "requests": requests,
        "seconds": 2.0,
        "p50_ms": 1.0,
        "p99_ms": 2.0,
        "cpu_s": 1.0,
        "elsewhere": 0.0,
        "failed": {},
    }
    return Measurement(**{**values, **changes})


def test_a_measurement_s_figures() -> None:
    measured = measurement(100, cpu_s=0.05)
    assert measured.requests_per_s == 50
    assert measured.cpu_us_per_request == pytest.approx(500)


def test_the_spread_of_rounds_is_their_median_least_and_most() -> None:
    assert Spread.of([3.0, 1.0, 8.0]) == Spread(3.0, 1.0, 8.0)
    assert Spread.of([1.0, 2.0]) == Spread(1.5, 1.0, 2.0)
    assert Spread.of([]) is None


def test_ratios_are_taken_within_a_round() -> None:
    results = Results()
    # The machine was ten times slower in the second round, for both.
    for round_, (ours, floor) in enumerate([(500, 1000), (60, 100), (700, 1000)]):
        results.add("case", "ours", round_, measurement(ours))
        results.add("case", "floor", round_, measurement(floor))
    ratio = results.ratio("case", "ours", "floor", lambda m: m.requests_per_s)
    assert ratio == Spread(0.6, 0.5, 0.7)


def test_a_round_that_one_server_missed_gives_no_ratio() -> None:
    results = Results()
    results.add("case", "ours", 0, measurement(100))
    results.add("case", "ours", 1, measurement(300))
    results.add("case", "floor", 1, measurement(100))
    assert results.ratio("case", "ours", "floor", lambda m: m.requests_per_s) == Spread(3, 3, 3)
    assert results.ratio("case", "ours", "naive", lambda m: m.requests_per_s) is None
    assert results.ratio("other", "ours", "floor", lambda m: m.requests_per_s) is None


def test_a_figure_of_nothing_has_no_ratio_to_it() -> None:
    results = Results()
    results.add("case", "ours", 0, measurement(100))
    results.add("case", "floor", 0, measurement(100, cpu_s=0.0))
    assert results.ratio("case", "ours", "floor", lambda m: m.cpu_us_per_request) is None


def test_the_best_other_server_is_chosen_in_each_round() -> None:
    results = Results()
    for round_, (ours, one, other) in enumerate([(300, 100, 200), (300, 600, 200)]):
        results.add("case", "ours", round_, measurement(ours))
        results.add("case", "one", round_, measurement(one))
        results.add("case", "other", round_, measurement(other))
        results.add("another case", "one", round_, measurement(9999))
    ratio = results.over_best("case", "ours", lambda m: m.requests_per_s)
    assert ratio == Spread(1.0, 0.5, 1.5)
    assert results.over_best("another case", "ours", lambda m: m.requests_per_s) is None


def test_two_cases_of_one_server_are_compared_within_a_round() -> None:
    results = Results()
    for round_, (many, few) in enumerate([(90, 100), (900, 1000)]):
        results.add("many", "ours", round_, measurement(many))
        results.add("few", "ours", round_, measurement(few))
    assert results.over_case("many", "few", "ours", lambda m: m.requests_per_s) == Spread(
        0.9, 0.9, 0.9
    )
    assert results.over_case("many", "none", "ours", lambda m: m.requests_per_s) is None


def test_failed_requests_are_added_up_over_the_rounds() -> None:
    results = Results()
    results.add("case", "ours", 0, measurement(1, failed={"status": 2}))
    results.add("case", "ours", 1, measurement(1, failed={"status": 3, "timeout": 1}))
    assert results.failed("case", "ours") == {"status": 5, "timeout": 1}
    assert results.failed("case", "floor") == {}


@pytest.mark.parametrize(
    ("busy", "total", "accounted", "share"),
    [
        (4.0, 4.0, 4.0, 0.0),
        (4.0, 4.0, 3.0, 0.25),
        (1.0, 4.0, 1.0, 0.0),
        # The kernel counts in steps: what was accounted for can exceed what was busy.
        (1.0, 4.0, 1.02, 0.0),
        (0.0, 0.0, 0.0, 0.0),
    ],
)
def test_what_went_elsewhere(busy: float, total: float, accounted: float, share: float) -> None:
    before, after = MachineTime(10.0, 100.0), MachineTime(10.0 + busy, 100.0 + total)
    assert share_elsewhere(before, after, accounted) == pytest.approx(share)
