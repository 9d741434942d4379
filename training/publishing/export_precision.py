"""Exports in another precision than float32: calling them, and the tolerance of their examples."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import tensorflow as tf

from service.repository.contract import Contract
from service.repository.golden_examples import (
    Golden,
    GoldenExample,
    Tensors,
    batch_of,
    examples_by_signature,
    row_to_json,
)
from service.repository.precision import Precision
from training.array_types import Predict
from training.console.progress import say
from training.errors import TrainingError

# TensorFlow's name of the rewriter that the service's sessions use as well.
_REWRITER = "auto_mixed_precision_onednn_bfloat16"
# Of the largest difference that the examples show: other processors round at other places.
_ROOM = 2.0
# One rounding to bfloat16's 8 bits of significand.
_LEAST = 2.0**-8
# Wider, and the examples would pass another model's answers too.
_MOST = 0.1


@contextmanager
def multiplying_in(precision: Precision) -> Iterator[None]:
    """Let TensorFlow's functions multiply matrices in ``precision`` while the block runs.

    It holds for the whole process: no other thread may call TensorFlow meanwhile.
    """
    if precision is Precision.FLOAT32:
        yield
        return
    tf.config.optimizer.set_experimental_options({_REWRITER: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_REWRITER: False})


def alike_in_both(golden: Golden, contract: Contract, in_float32: Predict) -> Golden:
    """Return the golden examples that a processor without the precision can answer as well.

    Their tolerance becomes twice the largest difference between the two, and 1/256 at least. An
    example whose class or text differs proves nothing of the version, and is left out.

    Args:
        golden: answered in the export's precision.
        contract: the export's.
        in_float32: calls the same export in float32.

    Raises:
        TrainingError: the answers differ by more than 0.1, absolute and relative, or no example
            of a signature is answered alike.
    """
    kept: list[GoldenExample] = []
    largest = 0.0
    for signature, examples in examples_by_signature(golden, contract):
        alike = []
        for example in examples:
            outputs = in_float32(signature.name, batch_of(signature, [example]))
            difference = _difference(example, outputs)
            if difference < math.inf:
                alike.append(example)
                largest = max(largest, difference)
        if not alike:
            raise TrainingError(f"No golden example of {signature.name!r} is alike in float32.")
        kept += alike
    left_out = len(golden.examples) - len(kept)
    if left_out:
        say(f"{left_out} golden examples are left out: their answers differ in float32")
    if largest > _MOST:
        raise TrainingError(
            f"The answers in float32 differ by {largest:.2g}; at most {_MOST:g} is allowed."
        )
    say(f"golden answers differ from those in float32 by at most {largest:.2g}")
    room = max(_LEAST, _ROOM * largest)
    return replace(
        golden,
        examples=kept,
        absolute=max(golden.absolute, room),
        relative=max(golden.relative, room),
    )


def _difference(example: GoldenExample, outputs: Tensors) -> float:
    """Return the smallest ``t`` with ``|got - want| <= t + t * |want|`` for all numbers.

    It is infinite where anything but floating-point numbers differs.
    """
    largest = 0.0
    for name, tensor in outputs.items():
        if tensor.dtype.kind == "f":
            want = np.asarray(example.prediction[name], np.float64)
            got = tensor[0].astype(np.float64)
            with np.errstate(invalid="ignore"):
                differences = np.abs(got - want) / (1 + np.abs(want))
            largest = max(largest, float(np.nan_to_num(differences, nan=math.inf).max(initial=0)))
        elif row_to_json({name: tensor}, 0)[name] != example.prediction[name]:
            return math.inf
    return largest
