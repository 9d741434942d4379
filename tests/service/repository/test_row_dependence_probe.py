import numpy as np
import pytest

from service.repository.contract import Field, Signature
from service.repository.golden_examples import Tensors
from service.repository.row_dependence_probe import neighbours_matter, varied_rows

FIELDS = (
    Field(name="x", dtype="float32", shape=(None, 2), minimum=1, maximum=5),
    Field(name="n", dtype="int32", shape=(None,), choices=(3, 4)),
    Field(name="t", dtype="string", shape=(None, None), max_length=2),
    Field(name="b", dtype="bool", shape=(None,)),
)


def ask(function: object, values: list[float]) -> str:
    def run(inputs: Tensors) -> Tensors:
        return {"y": np.asarray(function(inputs["x"]))}  # type: ignore[operator]

    return neighbours_matter(run, {"x": np.array(values)}, absolute=1e-4, relative=1e-3)


def test_rows_by_themselves_pass() -> None:
    assert ask(lambda x: x * 2, [1, 2, 3]) == ""
    assert ask(lambda x: np.where(x > 1, np.nan, x), [1, 2, 3]) == ""


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: x / x.sum(), "rows sent together get a different 'y' than alone"),
        (np.cumsum, "a different 'y' than alone"),
        (lambda x: x * len(x), "a different 'y' than alone"),
        (lambda x: x - x[0], "a different 'y' than alone"),
        (lambda x: x[:1], "3 rows are answered by 'y' of shape [1]"),
        (lambda x: x.sum(), "one row is answered by 'y' of shape []"),
        (lambda x: np.array([str(len(x))] * len(x)), "a different 'y' than alone"),
    ],
)
def test_neighbours_that_matter_are_told(function: object, reason: str) -> None:
    assert reason in ask(function, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("function", "how"),
    [
        (lambda x: x + (len(x) == 3 and x[0] < x[-1]), "together"),
        (lambda x: x + (x[0] > x[-1]), "in another order"),
        (lambda x: x + (len(x) == 2), "beside fewer others"),
        (lambda x: x * (len(np.unique(x)) == len(x)), "beside themselves"),
    ],
)
def test_each_way_of_asking_shows_what_no_other_does(function: object, how: str) -> None:
    assert ask(function, [1.0, 2.0, 3.0]) == f"rows sent {how} get a different 'y' than alone"


def test_varied_rows_keep_to_the_contract_and_differ() -> None:
    rows = varied_rows(Signature("s", FIELDS, ()), 8)
    assert rows is not None
    assert rows["x"].shape == (8, 2)
    assert rows["x"].min() >= 1
    assert rows["x"].max() <= 5
    assert len(np.unique(rows["x"])) == 16
    assert set(rows["n"]) == {3, 4}
    assert rows["t"].shape == (8, 3)
    assert all(len(word) <= 2 for word in rows["t"].flat)
    assert {field.name: rows[field.name].dtype for field in FIELDS} == {
        field.name: np.dtype(field.numpy_type) for field in FIELDS
    }


def test_files_and_what_has_no_rows_cannot_be_made_up() -> None:
    file = Field(name="f", dtype="string", shape=(None,), content_types=("image/png",))
    assert varied_rows(Signature("s", (file,), ()), 4) is None
    assert varied_rows(Signature("s", (Field(name="x", dtype="bool", shape=()),), ()), 4) is None


def test_bounds_may_be_as_wide_as_numbers_are() -> None:
    fields = (
        Field(name="x", dtype="float32", shape=(None,), minimum=-1.7e308, maximum=1.7e308),
        Field(name="n", dtype="int64", shape=(None,), minimum=-(10**30), maximum=10**30),
        Field(name="low", dtype="float32", shape=(None,), maximum=-10),
        Field(name="u", dtype="uint8", shape=(None,), minimum=250, maximum=300),
    )
    rows = varied_rows(Signature("s", fields, ()), 50)
    assert rows is not None
    assert np.isfinite(rows["x"]).all()
    assert rows["low"].max() <= -10
    assert rows["n"].dtype == np.int64
    assert rows["u"].min() >= 250
