"""A full worker says so, and when to come back."""

import contextlib
from collections.abc import Iterator
from time import monotonic

import pytest

from service.errors import UnavailableError
from service.runtime.admission_control import Admission


@contextlib.contextmanager
def place(places: Admission, model: str, seconds: float | None = None) -> Iterator[None]:
    places.enter(model)
    start = monotonic()
    yield
    places.leave(model, monotonic() - start if seconds is None else seconds)


def test_each_model_has_its_own_bound() -> None:
    places = Admission(per_model=2)
    with place(places, "a"):
        with place(places, "a"), place(places, "b"):
            with pytest.raises(UnavailableError, match=r"for model 'a': 2, which"):
                places.enter("a")
            with place(places, "b"):
                pass
        with place(places, "a"):
            pass


@pytest.mark.parametrize(("seconds", "retry_after"), [(0.2, "1"), (3.2, "4"), (1000.0, "60")])
def test_come_back_when_what_is_under_way_will_be_done(seconds: float, retry_after: str) -> None:
    places = Admission(per_model=1)
    for _ in range(3):
        with place(places, "a", seconds):
            pass
    with place(places, "a"), pytest.raises(UnavailableError) as refusal:
        places.enter("a")
    assert refusal.value.headers == {"Retry-After": retry_after}


def test_the_time_to_come_back_follows_the_rate() -> None:
    places = Admission(per_model=1)
    for seconds in [10.0] * 5 + [2.0] * 200:
        with place(places, "a", seconds):
            pass
    with place(places, "a"), pytest.raises(UnavailableError) as refusal:
        places.enter("a")
    assert refusal.value.headers == {"Retry-After": "3"}
