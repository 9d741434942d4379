"""JSON features to serialised ``tf.train.Example`` messages, without TensorFlow.

The message is small and will not change (tensorflow/core/example/example.proto and feature.proto):

    Example { Features features = 1; }
    Features { map<string, Feature> feature = 1; }
    Feature { oneof { BytesList = 1; FloatList = 2; Int64List = 3; } }   each: repeated value = 1

Which of the three lists a feature becomes follows from its JSON as in TensorFlow Serving's
util/json_tensor.cc: strings are bytes, whole numbers and booleans int64, other numbers float32.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from service.api.validation.error_messages import shorten
from service.api.validation.problems import InvalidValueError
from service.repository.json_strings import string_from_json

_BYTES, _FLOAT, _INT64 = 1, 2, 3
_KINDS = {str: _BYTES, dict: _BYTES, float: _FLOAT, int: _INT64, bool: _INT64}
_NAMES = {_BYTES: "a string", _FLOAT: "a number with a decimal point", _INT64: "a whole number"}
_LARGEST_FLOAT = float(np.finfo(np.float32).max)


def feature(value: Any) -> bytes:
    """Return the serialised ``Feature`` of a JSON value or list of values.

    Raises:
        InvalidValueError: the values are not all of one kind that a feature can hold.
    """
    if type(value) is not list:
        return _feature([value], [None])
    return _feature(value, range(len(value)))


def example(features: Mapping[str, bytes]) -> bytes:
    """Return the serialised ``Example`` of serialised features by name.

    Where two such messages are concatenated, the features of the second win (protobuf's rule for
    maps); so TensorFlow Serving merges a context into its examples.
    """
    entries = (
        _message(1, _message(1, name.encode()) + _message(2, value))
        for name, value in features.items()
    )
    return _message(1, b"".join(entries))


def _feature(values: Sequence[Any], indices: Iterable[int | None]) -> bytes:
    kind = _KINDS.get(type(values[0])) if values else None
    for index, value in zip(indices, values, strict=True):
        _check(index, value, kind)
    match kind:
        case None:
            return b""
        case 1:
            return _message(kind, b"".join(_message(1, string_from_json(v) or b"") for v in values))
        case 2:
            return _message(kind, _message(1, struct.pack(f"<{len(values)}f", *values)))
        case _:
            return _message(kind, _message(1, b"".join(_varint(int(v)) for v in values)))


def _check(index: int | None, value: Any, kind: int | None) -> None:
    if type(value) not in _KINDS:
        expected = "a number, string or boolean"
    elif _KINDS[type(value)] != kind:
        expected = f"{_NAMES[kind or _BYTES]}, as its first value is"
    elif kind == _BYTES and string_from_json(value) is None:
        expected = 'a string or {"b64": "<base64>"}'
    elif kind == _FLOAT and abs(value) > _LARGEST_FLOAT:
        expected = "a number within float32"
    elif kind == _INT64 and not -(2**63) <= value < 2**63:
        expected = "a whole number within int64"
    else:
        return
    at = () if index is None else (index,)
    raise InvalidValueError({at: f"Expected {expected}, not {shorten(value)}."})


def _message(number: int, payload: bytes) -> bytes:
    """Return a field of wire type 2: its tag, its length, its bytes."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
