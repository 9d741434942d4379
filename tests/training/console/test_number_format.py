"""Figures are written as people read them."""

import pytest

from training.console.number_format import figure, percentage


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


@pytest.mark.parametrize(
    ("part", "whole", "read"),
    [
        (0, 7, "0 %"),
        (7, 7, "100 %"),
        (800, 800, "100 %"),
        (199, 200, "99.5 %"),
        (996, 1000, "99.6 %"),
        (799_999, 800_000, "99.99988 %"),
        (1, 25_000_000, "0.000004 %"),
        (6, 903, "0.66 %"),
        (1, 3, "33 %"),
        (2, 3, "67 %"),
        (12, 800, "1.5 %"),
        (90, 100, "90 %"),
        (50, 500, "10 %"),
    ],
)
def test_percentages(part: int, whole: int, read: str) -> None:
    assert percentage(part / whole) == read


def test_percentages_of_more_digits() -> None:
    assert percentage(1 / 8, 3) == "12.5 %"
    assert percentage(0.01, 3) == "1 %"
