"""``application/x-npy``: numpy's own file of one array, whose rows are the instances.

The file is read here and not by ``numpy.load``, which would lay out an array of any size that a
header claims before it looks whether the values are there. The format is numpy's NEP 1.
"""

import ast
import math
import re

import numpy as np

from service.api.codecs.media.content_types import NPY, signature_for, takes_arrays
from service.api.codecs.media.plain_request import PlainCodec, PlainRequest
from service.api.validation.arrays import check_array, shape_problem, shorten_shape
from service.api.validation.messages import counted, describe, shorten
from service.api.validation.problems import brackets, refusal
from service.api.validation.tensors import Array, Index, TensorError, round_bfloat16
from service.errors import InvalidRequestError
from service.repository.contract import Field
from service.runtime.servable import Servable

_MAGIC = b"\x93NUMPY"
# Of the format's versions, how many bytes tell how long the header is.
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
_LONGEST_HEADER = 4096
_ENTRY = r"""\s*['"]\w+['"]\s*:\s*(?:['"][^'"\\]*['"]|True|False|\([0-9, ]*\))\s*"""
_HEADER = re.compile(rf"\{{{_ENTRY},{_ENTRY},{_ENTRY}(?:,\s*)?\}}")
# Booleans, whole numbers and floats that have a name in TensorFlow.
_DTYPE = re.compile(r"[<>=|]?(\?|b1|[iu][1248]|f[248])")
_SHOWN = 60


def array_of(body: bytes) -> Array:
    """Return the array in a ``.npy`` file, as a view of its bytes.

    Raises:
        InvalidRequestError: it is no such file, not of numbers or booleans, or not whole.
    """
    version = body[len(_MAGIC)] if body.startswith(_MAGIC) and len(body) > len(_MAGIC) else 0
    if version not in _LENGTH_BYTES:
        raise InvalidRequestError("Expected a .npy file, not bytes that begin otherwise.")
    at = len(_MAGIC) + 2 + _LENGTH_BYTES[version]
    length = int.from_bytes(body[len(_MAGIC) + 2 : at], "little")
    if length > _LONGEST_HEADER:
        raise InvalidRequestError(
            f"Expected a .npy header of at most {_LONGEST_HEADER} bytes, not {length}."
        )
    descr, fortran, shape = _header(body[at : at + length])
    if not _DTYPE.fullmatch(descr):
        raise InvalidRequestError(
            f"Expected an array of numbers or booleans, not of dtype {descr[:_SHOWN]!r}."
        )
    dtype = np.dtype(descr)
    needed, given = math.prod(shape) * dtype.itemsize, max(0, len(body) - at - length)
    if needed != given:
        raise InvalidRequestError(
            f"Expected {counted(needed, 'byte')} of values, as the .npy header says, not {given}."
        )
    flat = np.frombuffer(body, dtype, offset=at + length)
    try:
        return flat.reshape(shape, order="F" if fortran else "C")
    except ValueError as error:  # More dimensions than numpy has, or larger ones beside 0.
        fewer = f"fewer dimensions than {len(shape)}"
        what = f"smaller dimensions, not {shorten_shape(shape)}" if 0 in shape else fewer
        raise InvalidRequestError(f"Expected {what}.") from error


def _header(text: bytes) -> tuple[str, bool, tuple[int, ...]]:
    """Return dtype, order and shape; the header is a Python literal."""
    header = text.decode("latin-1").strip()
    try:
        # The pattern leaves nothing to a parser of Python that would not be harmless.
        value = ast.literal_eval(header) if _HEADER.fullmatch(header) else None
    except (ValueError, SyntaxError):
        value = None
    match value:
        case {"descr": str(descr), "fortran_order": bool(fortran), "shape": tuple(shape)}:
            return descr, fortran, shape
        case _:
            raise InvalidRequestError(
                f"Expected a .npy header of a plain array, not {header[:_SHOWN]!r}."
            )


def _converted(field: Field, array: Array, limit: int) -> Array:
    """Return the values, flat, in the field's dtype: numbers keep their kind, floats are rounded.

    Raises:
        TensorError: it is of another kind, or values are beyond the field's dtype.
    """
    kinds = "b" if field.dtype == "bool" else "iuf" if field.is_float else "iu"
    if array.dtype.kind not in kinds:
        raise TensorError({(): f"Expected an array of {field.dtype}, not of {array.dtype.name}."})
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
        expected = describe(field)
        raise TensorError(
            {
                (int(i),): f"Expected {expected}, not {shorten(flat[i].item())}."
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
        problem = shape_problem(field, array.shape)
        if problem:
            raise InvalidRequestError(problem)
        try:
            # One more shows that there are more.
            tensor = _converted(field, array, self.limits.max_errors + 1)
            check_array(field, tensor, limit=self.limits.max_errors + 1)
        except TensorError as error:
            raise refusal(
                {
                    _place(index and tuple(map(int, np.unravel_index(index[0], array.shape)))): [
                        text
                    ]
                    for index, text in error.problems.items()
                },
                self.limits.max_errors,
            ) from error
        return PlainRequest(
            signature,
            {field.name: tensor.reshape(array.shape)},
            array.shape[0],
            _place,
        )


def _place(index: Index, name: str = "") -> str:
    return f"array{brackets(index)}" if index else ""
