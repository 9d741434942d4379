"""A full worker says so, and when to come back."""

import contextlib

import pytest

from service.errors import UnavailableError
from service.runtime import admission
from service.runtime.admission import Admission


def hold(places: Admission, *models: str) -> contextlib.ExitStack:
    stack = contextlib.ExitStack()
    for model in models:
        stack.enter_context(places.place(model))
    return stack


def test_each_model_has_its_own_bound() -> None:
    places = Admission(per_model=2, overall=10)
    with hold(places, "a", "a", "b"):
        with pytest.raises(UnavailableError, match=r"for model 'a': 2, which"):
            hold(places, "a")
        hold(places, "b").close()
    hold(places, "a").close()


def test_all_models_together_have_a_bound() -> None:
    places = Admission(per_model=2, overall=3)
    with hold(places, "a", "a", "b"), pytest.raises(UnavailableError, match="this worker: 3"):
        hold(places, "b")


def test_a_place_is_given_back_when_its_request_fails() -> None:
    places = Admission(per_model=1, overall=1)
    with pytest.raises(ZeroDivisionError), places.place("a"):
        raise ZeroDivisionError
    hold(places, "a").close()


@pytest.mark.parametrize(("seconds", "retry_after"), [(0.2, "1"), (3.2, "4"), (1000.0, "60")])
def test_come_back_when_what_is_under_way_will_be_done(
    monkeypatch: pytest.MonkeyPatch, seconds: float, retry_after: str
) -> None:
    now = 0.0
    monkeypatch.setattr(admission, "monotonic", lambda: now)
    places = Admission(per_model=1, overall=1)
    for _ in range(3):
        with places.place("a"):
            now += seconds
    with places.place("a"), pytest.raises(UnavailableError) as refusal:
        hold(places, "a")
    assert refusal.value.headers == {"Retry-After": retry_after}


def test_the_time_to_come_back_follows_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(admission, "monotonic", lambda: now)
    places = Admission(per_model=1, overall=1)
    for seconds in [10.0] * 5 + [2.0] * 200:
        with places.place("a"):
            now += seconds
    with places.place("a"), pytest.raises(UnavailableError) as refusal:
        hold(places, "a")
    assert refusal.value.headers == {"Retry-After": "3"}
