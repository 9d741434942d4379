"""How turns with a part of the service and turns without it are compared."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.alternation import Turn, pairs_of, part_cost, read_turns
from benchmarks.errors import BenchmarkError
from benchmarks.latency_by_turns import quantile_by_turns, read_times

_TURN_NS = 1_000_000_000
_REQUESTS = 1000


def turns_of(pattern: str, *, added_us: float = 3.0, slower: float = 0.0) -> list[Turn]:
    """Return a turn for each "+" (with the part) and "-", on a machine that becomes slower."""
    found = []
    for place, letter in enumerate(pattern):
        cost_us = 60 + slower * place + added_us * (letter == "+")
        cpu_ns = int(cost_us * 1000 * _REQUESTS)
        began = place * _TURN_NS
        found.append(Turn(letter == "+", began, began + _TURN_NS, cpu_ns, _REQUESTS))
    return found


@pytest.mark.parametrize("pattern", ["+--++--++--++--+", "--++--++--++--", "-++--++--++--++-"])
def test_a_part_is_compared_with_its_absence_wherever_the_file_begins(pattern: str) -> None:
    pairs = pairs_of(turns_of(pattern, slower=0.5))
    assert all(on.is_on and not off.is_on for on, off in pairs)
    assert len(pairs) >= 6
    cost = part_cost(pairs)
    # What grows with time falls on both alike: its half is added as often as it is taken away.
    assert cost.added_us.middle == pytest.approx(3.0, abs=0.51)
    assert cost.added_us.low <= 3.0 <= cost.added_us.high


def test_turns_with_few_requests_are_left_out_with_their_neighbours() -> None:
    turns = turns_of("+--++--+")
    turns[2] = Turn(False, 0, 1, 10**12, _REQUESTS // 3)
    turns[7] = Turn(True, 0, 1, 0, 0)
    cost = part_cost(pairs_of(turns))
    assert (cost.pairs, cost.without_us) == (2, 60.0)
    assert cost.added_us.middle == pytest.approx(3.0)


def test_nothing_to_compare() -> None:
    with pytest.raises(BenchmarkError, match="enough requests"):
        pairs_of(turns_of("++"))


def test_turns_are_read_as_they_are_written(tmp_path: Path) -> None:
    turns = turns_of("+--+")
    text = "".join([turn.to_line() for turn in turns])
    (tmp_path / "turns").write_text(text + "1 5 6")
    assert read_turns(tmp_path / "turns") == turns


def test_a_quantile_of_requests_that_were_due_in_turns_of_either_kind(tmp_path: Path) -> None:
    turns = turns_of("+--+" * 10)
    generator = np.random.default_rng(1)
    times = []
    for turn in turns:
        due = generator.integers(turn.began_ns, turn.ended_ns, size=_REQUESTS)
        took = generator.exponential(1e6, size=_REQUESTS) * (1.2 if turn.is_on else 1.0)
        times += list(zip(due, took.astype(np.int64), strict=True))
    np.array(times, np.int64).tofile(tmp_path / "times")
    found = quantile_by_turns(read_times(tmp_path / "times"), pairs_of(turns), 0.99)
    # The 99 % quantile of an exponential distribution is its mean times ln 100.
    assert found.without_ms == pytest.approx(4.605, rel=0.05)
    assert found.with_ms == pytest.approx(4.605 * 1.2, rel=0.05)
    assert found.ratio.low < 1.2 < found.ratio.high
    assert found.ratio.high - found.ratio.low < 0.2
