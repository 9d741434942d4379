"""Warm-up files as TensorFlow Serving's users write them, without its classes.

The messages are put together here byte by byte, so that a wrong number in the service's own tables
does not go unnoticed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf


def message(number: int, payload: bytes) -> bytes:
    """Return a field of wire type 2."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def predict_log(inputs: Mapping[str, Any], signature: str = "") -> bytes:
    """Return a ``PredictionLog`` of a ``PredictRequest``; inputs are values or ``TensorProto``."""
    request = message(
        1, message(1, b"half") + (message(3, signature.encode()) if signature else b"")
    )
    for name, value in inputs.items():
        tensor = value if isinstance(value, bytes) else value.SerializeToString()
        request += message(2, message(1, name.encode()) + message(2, tensor))
    return message(6, message(1, request) + message(2, b""))


def example_log(
    number: int, examples: Sequence[bytes], signature: str, context: bytes = b""
) -> bytes:
    """Return a log of a classification (2) or a regression (3)."""
    listed = b"".join(message(1, example) for example in examples)
    given = message(2, listed + message(2, context)) if context else message(1, listed)
    return message(
        number, message(1, message(1, message(3, signature.encode())) + message(2, given))
    )


def example(x: float) -> bytes:
    """Return a ``tf.train.Example`` with the feature ``x``."""
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[x]))
    features = tf.train.Features(feature={"x": feature})
    return bytes(tf.train.Example(features=features).SerializeToString())


def write_warmup(version: Path, records: Sequence[bytes]) -> Path:
    """Write a version's warm-up file by TensorFlow's own writer, and return its path."""
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return path


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
