"""Whether all numbers of an array are finite."""

import numpy as np
import pytest

from service.runtime.finite_numbers import is_finite_array


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (100,)])
def test_one_number_that_is_not_finite_is_found(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.ones(shape, dtype)
    assert is_finite_array(array)
    for wrong in (np.nan, np.inf, -np.inf):
        array[(-1,) * len(shape)] = wrong
        assert not is_finite_array(array)


@pytest.mark.parametrize("array", [np.ones((0, 2)), np.array([2**63 - 1]), np.array([b"nan"], "O")])
def test_what_has_no_such_numbers_is_finite(array: np.ndarray) -> None:
    assert is_finite_array(array)
