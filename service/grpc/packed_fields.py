"""Arrays of numbers to protobuf's packed fields and back, without a Python object a number."""

from typing import Any

import numpy as np
import numpy.typing as npt

_Array = npt.NDArray[Any]

# Of a varint: the bits in each byte, and the one that says that another follows.
_BITS = 7
_MORE = 0x80


def packed_field(number: int, values: _Array) -> bytes:
    """Return a repeated field as it travels; empty without values.

    Args:
        number: the field's number.
        values: its values, in row-major order: floats and booleans as they are, whole numbers of
            any size as varints.
    """
    flat = values.reshape(-1)
    if not flat.size:
        return b""
    if flat.dtype.kind == "f":
        payload = flat.astype(flat.dtype.newbyteorder("<"), copy=False).tobytes()
    elif flat.dtype.kind == "b":
        payload = flat.tobytes()
    else:
        payload = _varints(flat)
    head = np.array([number << 3 | 2, len(payload)], dtype=np.int64)
    return _varints(head) + payload


def numbers_of(values: Any, dtype: npt.DTypeLike) -> _Array:
    """Return the values of a repeated field of a message as an array.

    Args:
        values: the field; protobuf has ``__array__`` for it.
        dtype: of its values.
    """
    return np.array(values, dtype=dtype)


def _varints(values: _Array) -> bytes:
    """Return whole numbers as varints: seven bits a byte, the lowest first."""
    # A negative number travels as the 64 bits of its two's complement.
    wide = values.astype(np.uint64 if values.dtype == np.uint64 else np.int64).view(np.uint64)
    longest = max(1, -(-int(wide.max()).bit_length() // _BITS))
    if longest == 1:
        return wide.astype(np.uint8).tobytes()
    shifts = np.arange(longest, dtype=np.uint64) * np.uint64(_BITS)
    parts = wide[:, None] >> shifts
    # Whether bits are left beyond this byte, and whether this byte is needed for any.
    more = (parts >> np.uint64(_BITS)) != 0
    is_there = parts != 0
    is_there[:, 0] = True
    octets = (parts & np.uint64(_MORE - 1)).astype(np.uint8) | (more * np.uint8(_MORE))
    packed: bytes = octets[is_there].tobytes()
    return packed
