"""Who is in the sample, and with which probability."""

import numpy as np
import pytest

from service.events.sampling import (
    Inclusion,
    Reason,
    audit_order,
    drawn,
    inclusion,
    is_left_out,
    sampling_point,
)
from service.repository.event_rates import EventRates, UnsureRate

IDS = [f"request-{number}" for number in range(20_000)]
UNSURE = UnsureRate("confidence", 0.0, 0.6, 0.5)
SURE, IN_DOUBT = ({"confidence": np.array([0.9, value], np.float32)} for value in (0.8, 0.55))


def test_the_point_is_the_documented_function_of_the_id() -> None:
    """Other programs compute it as well, so it must never change."""
    assert sampling_point("request-1") == 0.8108145438151846
    assert audit_order("request-1") != int(sampling_point("request-1") * 2**53)


def test_points_are_spread_evenly() -> None:
    points = np.array([sampling_point(each) for each in IDS])
    counts, _ = np.histogram(points, bins=20, range=(0, 1))
    # Chi-square with 19 degrees of freedom; 43.8 is its 99.9 % point.
    assert (((counts - 1000) ** 2) / 1000).sum() < 43.8
    orders = np.array([audit_order(each) for each in IDS]) / 2**53
    assert abs(np.corrcoef(points, orders)[0, 1]) < 0.03


def test_left_out_is_whose_point_is_not_below_the_highest_rate() -> None:
    points = {each: sampling_point(each) for each in IDS[:2000]}
    # Also at the very points, and at their neighbours.
    rates = [0, 1, 0.1, 1 / 3, *(r for p in list(points.values())[:50] for r in (p, p + 2**-53))]
    for rate in rates:
        found = EventRates(0.0, errors=rate)
        assert all(is_left_out(found, each) is (point >= rate) for each, point in points.items())
        # Many in one step are no others.
        assert drawn([(each,) for each in points], found.bound) == [
            (each,) for each, point in points.items() if point < rate
        ]


def test_rates_are_nested_and_ends_are_exact() -> None:
    def sample(rate: float) -> set[str]:
        return {each for each in IDS if inclusion(EventRates(rate), each, 200, None)}

    assert sample(0) == set()
    assert sample(1) == set(IDS)
    assert sample(0.1) < sample(0.3)
    assert len(sample(0.1)) == pytest.approx(2000, abs=150)


@pytest.mark.parametrize(
    ("rates", "status", "outputs", "probability", "reason"),
    [
        (EventRates(0.1), 200, SURE, 0.1, Reason.SAMPLE),
        (EventRates(0.1, errors=1), 200, SURE, 0.1, Reason.SAMPLE),
        (EventRates(0.1, errors=1), 500, None, 1, Reason.ERROR),
        (EventRates(0.1, errors=0.01), 500, None, 0.1, Reason.SAMPLE),
        (EventRates(0.1, unsure=UNSURE), 200, SURE, 0.1, Reason.SAMPLE),
        (EventRates(0.1, unsure=UNSURE), 200, IN_DOUBT, 0.5, Reason.UNSURE),
        (EventRates(0.1, unsure=UNSURE), 200, {"other": np.zeros(1)}, 0.1, Reason.SAMPLE),
        (EventRates(0.1, unsure=UNSURE), 500, None, 0.1, Reason.SAMPLE),
        (EventRates(0.7, unsure=UNSURE), 200, IN_DOUBT, 0.7, Reason.SAMPLE),
    ],
)
def test_the_probability_is_the_largest_rate_that_applies(
    rates, status, outputs, probability, reason
) -> None:
    found = [inclusion(rates, each, status, outputs) for each in IDS]
    kept = [each for each in found if each]
    assert len(kept) / len(IDS) == pytest.approx(probability, abs=0.015)
    assert {each.probability for each in kept} == {probability}
    assert {each.reason for each in kept} <= {Reason.SAMPLE, reason}
    for each, included in zip(IDS, found, strict=True):
        # What the rate of all keeps, it keeps for whatever else.
        if sampling_point(each) < rates.rate:
            assert included == Inclusion(probability, rates.rate, Reason.SAMPLE)


def test_estimates_that_weigh_by_the_probability_are_unbiased() -> None:
    """Errors are 5 % of all requests, and all of them are stored."""
    rates = EventRates(0.1, errors=1)
    weights = {200: 0.0, 500: 0.0}
    for number, each in enumerate(IDS):
        status = 500 if number % 20 == 0 else 200
        included = inclusion(rates, each, status, None)
        weights[status] += 1 / included.probability if included else 0
    assert weights[500] == 1000
    assert weights[500] / sum(weights.values()) == pytest.approx(0.05, abs=0.004)
