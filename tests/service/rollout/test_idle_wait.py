"""How a worker's idle moment is waited for."""

from types import SimpleNamespace

import pytest

from service.rollout import idle_wait as module
from service.rollout.idle_wait import wait_for_idle


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the pauses between looks; time passes in them alone."""
    made: list[float] = []
    # The module's alone: threads of other tests sleep as well.
    clock = SimpleNamespace(sleep=made.append, monotonic=lambda: sum(made))
    monkeypatch.setattr(module, "time", clock)
    return made


def test_an_idle_worker_is_not_waited_for(pauses: list[float]) -> None:
    assert wait_for_idle(lambda: True, lambda: False, 1.0)
    assert pauses == []


def test_a_busy_worker_is_looked_at_less_and_less(pauses: list[float]) -> None:
    assert not wait_for_idle(lambda: False, lambda: False, 1.0)
    assert sum(pauses) == pytest.approx(1.0)
    assert len(pauses) < 40
    assert pauses[:-1] == sorted(pauses[:-1])


def test_who_waits_no_more_looks_no_more(pauses: list[float]) -> None:
    assert not wait_for_idle(lambda: False, lambda: len(pauses) == 2, 1.0)
    assert len(pauses) == 2


def test_a_moment_that_comes_is_seen(pauses: list[float]) -> None:
    assert wait_for_idle(lambda: len(pauses) == 3, lambda: False, 1.0)
