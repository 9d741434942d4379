"""The protocol's datatypes: their names, and how their elements travel as bytes."""

import struct
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from service.api.validation.error_messages import count_with_noun
from service.api.validation.problems import InvalidValueError
from service.repository.contract import Field

# By the contract's dtypes.
_NAMES: Mapping[str, str] = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "bfloat16": "BF16",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}
# Of a BYTES element, before its bytes: how many there are.
_LENGTH = struct.Struct("<I")


def datatype(field: Field) -> str:
    """Return the protocol's name of a field's dtype."""
    return _NAMES[field.dtype]


def wire_type(field: Field) -> np.dtype[np.generic]:
    """Return numpy's type of a field's elements as they travel: little-endian; not of BYTES.

    A BF16 is the upper half of a float32, which numpy has no name for.
    """
    kind = np.uint16 if field.dtype == "bfloat16" else field.numpy_type
    return np.dtype(kind).newbyteorder("<")


def bfloat16_to_float32(halves: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the float32 numbers whose upper halves these are."""
    wide: npt.NDArray[Any] = (halves.astype(np.uint32) << 16).view(np.float32)
    return wide


def pack(tensor: npt.NDArray[Any], datatype: str = "") -> bytes:
    """Return a tensor's elements as they travel, in row-major order.

    Args:
        tensor: the tensor.
        datatype: the protocol's name of its elements, where numpy's is not enough.
    """
    if tensor.dtype == object:
        return pack_elements(tensor.reshape(-1).tolist())
    if datatype == "BF16":
        # What the model gives is a bfloat16; nothing is cut off.
        tensor = (np.ascontiguousarray(tensor).view(np.uint32) >> 16).astype(np.uint16)
    return tensor.astype(tensor.dtype.newbyteorder("<"), copy=False).tobytes()


def pack_elements(elements: Iterable[bytes]) -> bytes:
    """Return BYTES elements as they travel: each after its length, in four bytes."""
    return b"".join(part for each in elements for part in (_LENGTH.pack(len(each)), each))


def unpack_elements(data: bytes, count: int) -> list[bytes]:
    """Return the BYTES elements in ``data``.

    Args:
        data: as they travel.
        count: how many there should be.

    Raises:
        InvalidValueError: there are more or fewer, or one is cut short.
    """
    elements: list[bytes] = []
    position, expected = 0, count_with_noun(count, "element")
    while position < len(data):
        start = position + _LENGTH.size
        if start > len(data):
            left = len(data) - position
            raise InvalidValueError(
                f"Expected the 4 bytes of the length of element {len(elements)}, not {left}."
            )
        (length,) = _LENGTH.unpack_from(data, position)
        position = start + length
        if position > len(data):
            raise InvalidValueError(
                f"Expected the {count_with_noun(length, 'byte')} of element {len(elements)}, "
                f"not {len(data) - start}."
            )
        if len(elements) == count:
            raise InvalidValueError(f"Expected {expected}, as the shape says; there are more.")
        elements.append(data[start:position])
    if len(elements) != count:
        raise InvalidValueError(f"Expected {expected}, as the shape says, not {len(elements)}.")
    return elements
