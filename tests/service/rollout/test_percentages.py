"""Shares as people read them."""

import pytest

from service.rollout.percentages import in_percent


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "0 %"), (0.0123, "1.2 %"), (0.05, "5 %"), (0.996, "100 %"), (1, "100 %")],
)
def test_a_share_has_two_digits(share: float, shown: str) -> None:
    assert in_percent(share) == shown
