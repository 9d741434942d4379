"""Bad rows are counted and judged in one place."""

from pathlib import Path

import pytest

from training.data.own.bad_rows import BadRows
from training.errors import TrainingError

SOURCE = Path("rows.csv")


def test_as_many_as_are_tolerated_pass() -> None:
    bad = BadRows(0.01)
    bad.add("line 3", "no good")
    bad.check_share(SOURCE, 99)
    with pytest.raises(TrainingError, match=r"1 of 99 rows are bad \(1.01 %\), more than the 1 %"):
        bad.check_share(SOURCE, 98)


def test_none_is_tolerated_at_zero_and_no_good_row_never() -> None:
    BadRows(0).check_share(SOURCE, 1)
    bad = BadRows(1)
    bad.add("line 3", "no good")
    with pytest.raises(TrainingError, match=r"1 of 1 rows are bad \(100 %\), and nothing is left"):
        bad.check_share(SOURCE, 0)


def test_a_message_lists_the_first_and_counts_the_rest() -> None:
    bad = BadRows(0)
    for number in range(1, 1235):
        bad.add(f"line {number}", "no good")
    listing = bad.listing().splitlines()
    assert listing[0] == "  line 1: no good"
    assert listing[-1] == "  and 1,214 more"
    assert len(listing) == 21
    assert len(bad.lines) == 1234
