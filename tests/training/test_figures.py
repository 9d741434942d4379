"""Figures are written as people read them."""

import pytest

from training.figures import figure


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.94430, "0.9443"),
        (26.5, "26.5"),
        (3.0, "3"),
        (0.0, "0"),
        (0.001, "0.001"),
        (0.00002, "2e-05"),
        (-0.00031, "-0.00031"),
        (12, "12"),
        ("silu", "silu"),
        (None, "None"),
    ],
)
def test_a_figure_keeps_what_it_says(value: object, written: str) -> None:
    assert figure(value) == written
