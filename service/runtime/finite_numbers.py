"""Whether all numbers of an array are finite."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

# Up to so many numbers Python's functions are faster than numpy's.
_FEW = 16


def is_finite_array(array: npt.NDArray[Any]) -> bool:
    """Whether an array of any shape and dtype holds neither NaN nor infinity."""
    if array.dtype.kind not in "fc":
        return True
    if array.size <= _FEW and array.dtype.kind == "f":
        return all(map(math.isfinite, array.ravel().tolist()))
    return bool(np.isfinite(array).all())
