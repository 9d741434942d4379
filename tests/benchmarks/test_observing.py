"""How costs that were measured in turns are compared."""

from benchmarks.observing import rows_of


def test_differences_are_taken_within_rounds() -> None:
    # The machine was busy in the second round, for both; a pause fell into one turn of the last.
    base = [50.0, 90.0, 52.0, 51.0, 50.0, 52.0, 51.0, 51.0, 51.0]
    extra = [8.0, 7.0, 9.0, 8.0, 7.5, 8.5, 8.0, 8.0, 60.0]
    keys = [one + more for one, more in zip(base, extra, strict=True)]
    assert rows_of({"as it is": base, "with keys": keys}) == [
        ["as it is", "51.0", ""],
        # The second least and the second most of nine: Conover, Practical Nonparametric
        # Statistics, 3.2; with the chance 2 * (1 + 9) / 2**9 that the median lies beyond.
        ["with keys", "59.0", "+8.0 (+7.5 to +9.0)"],
    ]


def test_too_few_rounds_have_no_interval() -> None:
    rows = rows_of({"as it is": [50.0, 51.0], "with keys": [58.0, 58.0]})
    assert rows[1] == ["with keys", "58.0", "+7.5 (+nan to +nan)"]
