"""How costs that were measured in turns are compared."""

from benchmarks.observing import rows_of


def test_differences_are_taken_within_rounds() -> None:
    # The machine was busy in the second round, for both.
    costs = {"as it is": [50.0, 90.0, 52.0], "with keys": [58.0, 97.0, 61.0]}
    assert rows_of(costs) == [
        ["as it is", "52.0", ""],
        ["with keys", "61.0", "+8.0 (+7.0 to +9.0)"],
    ]
