"""Which samples become golden examples."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.repository.contract import Field, Signature
from training.errors import UsageError
from training.importing.golden_cases import golden_cases, that_fit, to_json
from training.importing.sample_file import Samples, read_samples
from training.importing.sample_requests import instances, shape_of


def field(*shape: int | None, dtype: str = "float32", **more: Any) -> Field:
    return Field(name="x", dtype=dtype, shape=(None, *shape), **more)


def cases(samples: Samples, *shape: int | None) -> list[str]:
    every = instances(samples, [field(*shape)])
    return [case.note for case in golden_cases(samples, every)]


def notes(*rows: int) -> list[str]:
    return [f"samples, row {row}" for row in rows]


def test_they_come_from_all_parts_and_differ() -> None:
    values = np.arange(100 * 2, dtype=np.float32).reshape(100, 2)
    values[1:50] = values[0]
    assert cases(read_samples(values), 2) == notes(
        *(0, 52, 55, 58, 61, 64, 68, 71, 74, 77, 80, 84, 87, 90, 93, 96)
    )
    assert cases(read_samples(values.tolist()), 2) == cases(read_samples(values), 2)
    assert cases(read_samples(values[:60]), 2) == notes(0, *range(50, 60))


def test_they_are_of_the_shape_that_most_have(tmp_path: Path) -> None:
    lines = [[1.0], [1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    samples = read_samples(tmp_path / "rows.jsonl")
    every = instances(samples, [field(None)])
    assert [case.note for case in golden_cases(samples, every)] == [
        f"rows.jsonl, line {line}" for line in (2, 3, 4)
    ]


@pytest.mark.parametrize("odd", [[[1], [2, 3]], [[[1]], [[2, 3]]]])
def test_lists_of_different_lengths_are_no_tensor(odd: Any) -> None:
    depth = np.ndim(odd[0])
    samples = read_samples([{"x": odd}])
    with pytest.raises(UsageError) as caught:
        instances(samples, [field(*[None] * (depth + 1))])
    words = "samples[0]: x must be lists of equal lengths at each depth."
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ({"x": 1.0, "y": "a"}, ((), ())),
        ({"x": [[1, 2, 3], [4, 5, 6]]}, ((2, 3),)),
        ({"x": np.zeros((2, 3))}, ((2, 3),)),
        ({"x": [[1], [2, 3]]}, ((2, ((1,), (2,))),)),
        ({"x": []}, ((0,),)),
    ],
)
def test_the_shape_of_an_instance(value: Any, shape: Any) -> None:
    assert shape_of(value) == shape


def test_numbers_are_written_in_the_fewest_digits() -> None:
    value = np.array([[0.1, 1e-30], [-3.4e38, 16777217]], np.float32)
    assert json.dumps(to_json({"x": value})) == '{"x": [[0.1, 1e-30], [-3.4e+38, 16777216.0]]}'
    assert to_json({"x": np.array([[2**63 - 1]]), "t": "a"}) == {"x": [[2**63 - 1]], "t": "a"}


@pytest.mark.parametrize(
    ("side", "answered", "count"),
    # Of a picture with 224 x 224 x 3 values there are as many as the file holds; of others all or
    # none; large answers need room as well.
    [(8, 1, 16), (224, 1, 4), (512, 1, 0), (8, 300_000, 1), (8, 600_000, 0)],
)
def test_as_many_as_there_is_room_for(side: int, answered: int, count: int) -> None:
    pictures = np.random.default_rng(0).random((20, side, side, 3)).astype(np.float32)
    samples = read_samples(pictures)
    x = field(side, side, 3)
    contract = {"serving_default": Signature("serving_default", (x,), ())}

    def predict(signature: str, inputs: Any) -> Any:
        return {"y": np.full((1, answered), 1 / 3)}

    chosen = golden_cases(samples, instances(samples, [x]))
    assert len(chosen) == 16
    kept = that_fit(chosen, predict, contract)
    assert len(kept) == count
    text = json.dumps([case.instance for case in kept])
    assert len(text) < 8 * 1024 * 1024
    for case in kept:
        (row,) = (i for i in range(20) if case.note == f"samples, row {i}")
        np.testing.assert_array_equal(np.array(case.instance["x"], np.float32), pictures[row])


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ([[1, 2], [3, 4, 5]], "samples, row 1"),
        ([np.ones(2), np.ones(3)], "samples, row 1"),
        ({"x": [[1, 2], [3, 4, 5]]}, "samples, row 1"),
    ],
)
def test_rows_of_different_lengths_are_named(given: Any, place: str) -> None:
    """NumPy makes no array of them."""
    with pytest.raises(UsageError, match=f"{place}: x must be a list of 2 values, not a list of 3"):
        instances(read_samples(given), [field(2)])


@pytest.mark.parametrize(
    ("array", "x", "row", "words"),
    [
        (np.zeros((2, 3)), field(2), 0, "x must be a list of 2 values, not a list of 3"),
        (np.array([[1, 2], [3, np.nan]]), field(2), 1, "x[1] must be a number, not nan"),
        (np.array([[1, 2], [np.inf, 3]]), field(2), 1, "x[0] must be a number, not inf"),
        (np.array([[1, 1e39]]), field(2), 0, "x[1] must be a number within float32, not 1e+39"),
        (
            np.array([[1, 300]]),
            field(2, dtype="uint8"),
            0,
            "x[1] must be a whole number from 0 to 255, not 300",
        ),
        (
            np.array([[1, 1.5]]),
            field(2, dtype="int8"),
            0,
            "x[1] must be a whole number from -128 to 127, not 1.5",
        ),
        (np.array([[1, 9]]), field(2, maximum=5), 0, "x[1] must be at most 5, not 9"),
        (np.array([[-1, 2]]), field(2, minimum=0), 0, "x[0] must be at least 0, not -1"),
        (np.array([[1, 2]]), field(2, dtype="string"), 0, "x[0] must be a string, not 1"),
        (np.array([[1, 2]]), field(2, dtype="bool"), 0, "x[0] must be true or false, not 1"),
    ],
)
def test_arrays_are_checked_as_lists_are(array: Any, x: Field, row: int, words: str) -> None:
    for given, place in (
        (array, f"samples, row {row}"),
        ([{"x": each} for each in array], f"samples[{row}]"),
    ):
        with pytest.raises(UsageError) as caught:
            instances(read_samples(given), [x])
        assert str(caught.value) == f"{place}: {words}."


def test_whole_numbers_may_come_as_floats() -> None:
    (row,) = instances(read_samples(np.array([[1.0, 2.0]])), [field(2, dtype="int32")])
    assert json.dumps(to_json(row)) == '{"x": [1, 2]}'
