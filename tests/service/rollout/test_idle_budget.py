"""How background work is bounded to a share of a worker's idle time."""

from types import SimpleNamespace

import pytest

from service.rollout import idle_budget as module
from service.rollout.idle_budget import IdleBudget, idle_s


class Clocks:
    """Time, and the part of it in which the process computed."""

    def __init__(self) -> None:
        self.now = 100.0
        self.computed = 10.0

    def pass_s(self, seconds: float, *, busy: float) -> None:
        self.now += seconds
        self.computed += busy * seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    made = Clocks()
    clock = SimpleNamespace(monotonic=lambda: made.now, process_time=lambda: made.computed)
    monkeypatch.setattr(module, "time", clock)
    return made


def until_it_may(budget: IdleBudget, clocks: Clocks, *, busy: float) -> float:
    """Return how many seconds pass until work may be done, at a load."""
    start = clocks.now
    for _ in range(200):
        rest = budget.rest_s()
        if not rest:
            return clocks.now - start
        clocks.pass_s(rest, busy=busy)
    raise AssertionError("It rests for ever.")


@pytest.mark.parametrize(
    ("cores", "busy"), [(1, 0.0), (1, 0.5), (1, 0.95), (4, 0.5), (4, 1.5), (4, 3.8)]
)
def test_work_takes_its_share_of_what_the_load_leaves_over(
    clocks: Clocks, cores: int, busy: float
) -> None:
    """Also where more than one core computes."""
    budget = IdleBudget(cores)
    assert budget.rest_s() == 0
    budget.spend(1.0, 0.1)
    # Nine of ten idle seconds are left idle.
    assert until_it_may(budget, clocks, busy=busy) == pytest.approx(
        9 / (1 - busy / cores), abs=0.01
    )


def test_several_share_it(clocks: Clocks) -> None:
    budget = IdleBudget(1)
    budget.spend(1.0, 0.5)
    budget.spend(2.0, 0.5)
    assert until_it_may(budget, clocks, busy=0.0) == pytest.approx(3.0)


def test_idle_time_that_has_passed_is_not_saved_up(clocks: Clocks) -> None:
    budget = IdleBudget(1)
    clocks.pass_s(1000, busy=0.0)
    budget.spend(1.0, 0.5)
    assert until_it_may(budget, clocks, busy=0.0) == pytest.approx(1.0)


def test_a_worker_that_never_idles_rests_on(clocks: Clocks) -> None:
    budget = IdleBudget(1)
    budget.spend(1.0, 0.5)
    clocks.pass_s(1000, busy=1.0)
    # More than all of it, where several cores compute.
    clocks.pass_s(10, busy=2.0)
    assert budget.rest_s() > 0


def test_all_of_it_needs_no_rest(clocks: Clocks) -> None:
    budget = IdleBudget(1)
    budget.spend(1.0, 1.0)
    assert budget.rest_s() == 0


def test_the_clock_stands_still_while_the_process_computes(clocks: Clocks) -> None:
    before = idle_s(1)
    clocks.pass_s(5, busy=1.0)
    assert idle_s(1) == before
    clocks.pass_s(5, busy=0.0)
    assert idle_s(1) == before + 5
