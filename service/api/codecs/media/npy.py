"""``application/x-npy``: numpy's own file of one array, whose rows are the instances.

numpy reads the header (NEP 1), but ``numpy.load`` does not read the values: it makes an array of
any size that a header claims before it looks whether the values are there.
"""

import io
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from service.api.codecs.media.content_types import NPY, signature_for, takes_arrays
from service.api.codecs.media.plain_request import PlainCodec, PlainRequest
from service.api.validation.arrays import check_array, check_shape, shorten_shape
from service.api.validation.error_messages import (
    count_with_noun,
    describe_expected_value,
    describe_received,
)
from service.api.validation.problems import Index, InvalidValueError, Problems, brackets
from service.api.validation.tensors import Array, round_bfloat16
from service.errors import InvalidRequestError
from service.repository.contract import Field
from service.runtime.servable import Servable

# By the major version of the format: in how many bytes the header's length stands, and what reads
# both. The third has the header in UTF-8, which for arrays of numbers is the same.
_READERS: Mapping[int, tuple[int, Callable[..., Any]]] = {
    1: (2, npy_format.read_array_header_1_0),
    2: (4, npy_format.read_array_header_2_0),
    3: (4, npy_format.read_array_header_2_0),
}
_LONGEST_HEADER = 4096
_LARGEST_ITEM = 8  # A longer float has no name in TensorFlow.
_SHOWN = 60


def array_of(body: bytes) -> Array:
    """Return the array in a ``.npy`` file, as a view of its bytes.

    Raises:
        InvalidRequestError: it is not such a file, not of numbers or booleans, or incomplete.
    """
    shape, fortran, dtype, start = _header(body)
    if dtype.kind not in "biuf" or dtype.itemsize > _LARGEST_ITEM:
        raise InvalidRequestError(
            f"Expected an array of numbers or booleans, not of dtype {dtype.str[:_SHOWN]!r}."
        )
    needed, given = math.prod(shape) * dtype.itemsize, len(body) - start
    if needed != given:
        raise InvalidRequestError(
            f"Expected {count_with_noun(needed, 'byte')} of values, as the .npy header says, "
            f"not {given}."
        )
    flat = np.frombuffer(body, dtype, offset=start)
    try:
        return flat.reshape(shape, order="F" if fortran else "C")
    except ValueError as error:  # More dimensions than numpy has, or larger ones beside 0.
        fewer = f"fewer dimensions than {len(shape)}"
        what = f"smaller dimensions, not {shorten_shape(shape)}" if 0 in shape else fewer
        raise InvalidRequestError(f"Expected {what}.") from error


def _header(body: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Return shape, Fortran order, dtype, and where the values begin."""
    file = io.BytesIO(body)
    try:
        size, read_header = _READERS[npy_format.read_magic(file)[0]]
    except (ValueError, KeyError) as error:
        message = "Expected a .npy file, not bytes that begin otherwise."
        raise InvalidRequestError(message) from error
    start = file.tell() + size
    length = int.from_bytes(body[file.tell() : start], "little")
    if length > _LONGEST_HEADER:
        raise InvalidRequestError(
            f"Expected a .npy header of at most {_LONGEST_HEADER} bytes, not {length}."
        )
    try:
        shape, fortran, dtype = read_header(file, max_header_size=_LONGEST_HEADER)
        if dtype.names is not None or min(shape, default=0) < 0:
            raise ValueError("not a plain array")
    except Exception as error:  # A literal of Python can be malformed in many ways.
        header = body[start : start + length].decode("latin-1").strip()
        raise InvalidRequestError(
            f"Expected a .npy header of a plain array, not {header[:_SHOWN]!r}."
        ) from error
    return shape, fortran, dtype, start + length


def _converted(field: Field, array: Array, limit: int) -> Array:
    """Return the values, flat, in the field's dtype: numbers keep their kind, floats are rounded.

    Raises:
        InvalidValueError: it is of another kind, or values are beyond the field's dtype.
    """
    kinds = "b" if field.dtype == "bool" else "iuf" if field.is_float else "iu"
    if array.dtype.kind not in kinds:
        raise InvalidValueError(f"Expected an array of {field.dtype}, not of {array.dtype.name}.")
    flat = array.reshape(-1)
    if field.dtype == "bool":
        # Any byte may stand in a file.
        return np.not_equal(flat.view(np.uint8), 0)
    tensor: Array
    if field.is_float:
        with np.errstate(over="ignore"):
            # By way of float64, as the numbers of JSON go: two steps round otherwise than one.
            tensor = flat.astype(np.float64).astype(field.numpy_type)
        if field.dtype == "bfloat16":
            tensor = round_bfloat16(tensor)
        beyond = np.isinf(tensor) & np.isfinite(flat)
    else:
        bounds = np.iinfo(field.numpy_type)
        tensor = flat.astype(field.numpy_type)
        beyond = (flat < bounds.min) | (flat > bounds.max)
    if beyond.any():
        expected = describe_expected_value(field)
        raise InvalidValueError(
            {
                (int(i),): f"Expected {expected}, not {describe_received(field, flat[i].item())}."
                for i in np.flatnonzero(beyond)[:limit]
            }
        )
    return tensor


class NpyCodec(PlainCodec):
    """An array."""

    def parse(self, body: bytes) -> Array:
        return array_of(body)

    def read(self, array: Array, servable: Servable) -> PlainRequest:
        signature = signature_for(servable.contract, self.info.signature_name, NPY, takes_arrays)
        (field,) = signature.inputs
        try:
            check_shape(field, array.shape)
        except InvalidValueError as error:
            raise InvalidRequestError(str(error)) from error
        try:
            # One more shows that there are more.
            tensor = _converted(field, array, self.limits.max_errors + 1)
            check_array(field, tensor, limit=self.limits.max_errors + 1)
        except InvalidValueError as error:
            problems = Problems(self.limits.max_errors)
            problems.add_value(
                lambda flat: _path(
                    tuple(map(int, np.unravel_index(flat[0], array.shape))) if flat else ()
                ),
                error,
            )
            raise problems.error() from error
        return PlainRequest(
            signature,
            {field.name: tensor.reshape(array.shape)},
            array.shape[0],
            _path,
        )


def _path(index: Index, name: str = "") -> str:
    return f"array{brackets(index)}" if index else ""
