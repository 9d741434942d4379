"""Finding the rows of a batch that a graph refuses."""

import math
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from service.errors import DeadlineError, InvalidRequestError
from service.runtime.refused_rows import bisect_refused_rows


class Graph:
    """Refuses batches that hold a bad row, and counts its runs."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        self.runs = 0

    def run(self, inputs: dict[str, Any]) -> None:
        self.runs += 1
        found = [int(row) for row in inputs["row"] if int(row) in self.bad]
        assert len(inputs["row"]) == len(inputs["other"])
        if found:
            raise InvalidRequestError(f"Row {found[0]} is bad.")


def batch(rows: int) -> dict[str, Any]:
    return {"row": np.arange(rows), "other": np.zeros((rows, 2))}


@hypothesis.given(rows=st.integers(2, 40), data=st.data(), most=st.integers(1, 5))
@hypothesis.settings(deadline=None)
def test_the_first_bad_rows_are_found(rows: int, data: st.DataObject, most: int) -> None:
    bad = data.draw(st.sets(st.integers(0, rows - 1), min_size=1))
    graph = Graph(bad)
    found = bisect_refused_rows(graph.run, batch(rows), most=most)
    assert list(found) == sorted(bad)[:most]
    assert [error.message for error in found.values()] == [f"Row {row} is bad." for row in found]


@pytest.mark.parametrize("rows", [2, 64, 50_000])
def test_one_bad_row_takes_two_runs_for_each_halving(rows: int) -> None:
    graph = Graph({rows - 1})
    assert list(bisect_refused_rows(graph.run, batch(rows), most=20)) == [rows - 1]
    assert graph.runs <= 2 * math.ceil(math.log2(rows))


def test_the_search_is_bounded() -> None:
    graph = Graph(set(range(0, 10_000, 100)))
    found = bisect_refused_rows(graph.run, batch(10_000), most=1000)
    assert graph.runs == 64
    assert found.keys() <= graph.bad


def test_rows_that_are_refused_only_together_are_not_blamed() -> None:
    def run(inputs: dict[str, Any]) -> None:
        if len(inputs["row"]) > 2:
            raise InvalidRequestError("Too many.")

    assert bisect_refused_rows(run, batch(9), most=5) == {}


def test_a_deadline_ends_the_search() -> None:
    def run(inputs: dict[str, Any]) -> None:
        raise DeadlineError

    with pytest.raises(DeadlineError):
        bisect_refused_rows(run, batch(4), most=5)
