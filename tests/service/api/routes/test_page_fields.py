"""What the page is told of a contract's fields: pictures, sliders, and how far numbers go."""

from typing import Any

import pytest

from service.api.routes.page_fields import signature_on_page
from service.repository.contract import Field, Signature
from service.repository.golden_examples import GoldenExample

OUTPUT = Field(name="y", dtype="float32", shape=(None,))


def shown(*values: float, dtype: str = "float32", shape: Any = (None,), **known: Any) -> Any:
    """Return what the page is told of an input that examples have these values of."""
    field = Field(name="x", dtype=dtype, shape=shape, **known)
    examples = [GoldenExample("s", {"x": value}, {}) for value in values]
    other = GoldenExample("other", {"x": 0.5}, {})
    signature = Signature("s", (field,), (OUTPUT,), rows_independent=True)
    found = signature_on_page(signature, [*examples, other])
    assert found["has_rows"] is found["rows_independent"] is (shape is not None)
    return found["inputs"][0]


@pytest.mark.parametrize(
    ("shape", "channels"), [((None, 28, 28), 0), ((None, 8, 8, 1), 1), ((None, 512, 512, 3), 3)]
)
def test_square_arrays_are_pictures(shape: tuple[int | None, ...], channels: int) -> None:
    size = shape[1]
    grey = shown(shape=shape)["picture"]
    assert grey == {"size": size, "channels": channels, "low": 0, "high": 1}
    assert shown(shape=shape, dtype="uint8")["picture"]["high"] == 255
    bounds = shown(shape=shape, minimum=-1, maximum=7)["picture"]
    assert (bounds["low"], bounds["high"]) == (-1, 7)


@pytest.mark.parametrize(
    "shape",
    [None, (None,), (None, 28), (None, None, None), (None, 7, 7), (None, 28, 14), (None, 9, 9, 2)],
)
def test_others_are_none(shape: Any) -> None:
    assert "picture" not in shown(shape=shape)


@pytest.mark.parametrize(
    ("dtype", "low", "high", "values", "step"),
    [
        ("int32", 0, 3, [], 1),
        ("float32", 0, 40, [1, 2, 3.0], 1),
        ("float32", 0, 40, [1, 2], 0.1),
        ("float32", 0, 3, [1, 2, 3], 0.01),
        ("float32", 1613, 5140, [2130.5, 1, 2], 10),
        ("float64", 2, 2, [], "any"),
    ],
)
def test_a_slider_moves_in_steps_that_suit(
    dtype: str, low: float, high: float, values: list[float], step: Any
) -> None:
    found = shown(*values, dtype=dtype, minimum=low, maximum=high)
    assert found["slider"] == {"min": low, "max": high, "step": step}


@pytest.mark.parametrize(
    "known",
    [
        {"minimum": 0},
        {"minimum": 0, "maximum": 1e8},
        {"dtype": "int64", "minimum": 2**60, "maximum": 2**60 + 10},
        {"shape": (None, 2), "minimum": 0, "maximum": 1},
    ],
)
def test_what_a_slider_would_round_or_skip_has_none(known: dict[str, Any]) -> None:
    assert "slider" not in shown(**known)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64", "uint64"])
def test_limits_are_doubles_within_the_dtype(dtype: str) -> None:
    bits = int(dtype.removeprefix("u").removeprefix("int"))
    is_signed = dtype[0] == "i"
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    low, high = shown(dtype=dtype)["limits"]
    assert [int(float(low)), int(float(high))] == [low, high]
    if bits <= 53:
        assert (low, high) == (least, most)
    else:
        assert least <= low <= least + 1024
        assert most - 2048 <= high <= most
    assert "limits" not in shown()
