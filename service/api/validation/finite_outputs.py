"""Outputs, held to what JSON can hold."""

from typing import Any

import numpy as np
import numpy.typing as npt

from service.api.validation.problems import brackets
from service.errors import InvalidRequestError
from service.runtime.finite_numbers import is_finite_array


def check_finite(name: str, tensor: npt.NDArray[Any], advice: str = "") -> None:
    """Check that JSON can hold an answer.

    A version answers its golden examples with finite numbers, or it would not serve; so an infinite
    output is due to the values of the request.

    Args:
        name: the output's.
        tensor: the answer.
        advice: what the client may do instead.

    Raises:
        InvalidRequestError: a number of it is NaN or infinite, which JSON does not have.
    """
    if tensor.dtype.kind != "f" or is_finite_array(tensor):
        return
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(tensor))[0])
    what = "NaN" if np.isnan(tensor[index]) else "infinity"
    raise InvalidRequestError(
        f"The model has no finite answer to these values: {name}{brackets(index)} is {what}, and "
        f"JSON has no such number{advice}."
    )
