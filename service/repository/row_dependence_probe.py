"""Asking a model whether a row's answer depends on its neighbours.

It can show that rows are not independent, and never that they are: the proof is the graph's
(service/repository/row_independence), or somebody's word.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from service.repository.contract import Field, Signature
from service.repository.golden_examples import Tensors

_LARGEST = 1e38

Run = Callable[[Tensors], Mapping[str, npt.NDArray[Any]]]

_WORDS = (b"a", b"The quick brown fox", b"b c", b"7 kinds of it, all told", b"", b"word")


def neighbours_matter(run: Run, inputs: Tensors, *, absolute: float, relative: float) -> str:
    """Return in which way the answers of some rows depend on the others; empty when in none.

    The rows are asked alone, together, in another order, and beside fewer neighbours. A NaN is
    only equal to a NaN.

    Args:
        run: runs a batch; what it raises is raised.
        inputs: arrays of equally many rows, two at least, that differ.
        absolute: with ``relative``, how closely numbers must agree, as in ``numpy.isclose``.
        relative: see there.
    """
    count = next(iter(inputs.values())).shape[0]
    orders = {
        "together": np.arange(count),
        "in another order": np.arange(count)[::-1],
        "beside fewer others": np.arange(1, count),
        "beside themselves": np.repeat(np.arange(count), 2),
    }
    alone = [dict(run(_rows(inputs, np.array([row])))) for row in range(count)]
    for outputs in alone:
        for name, tensor in outputs.items():
            if not tensor.ndim or tensor.shape[0] != 1:
                return f"one row is answered by {name!r} of shape {list(tensor.shape)}"
    for how, order in orders.items():
        outputs = dict(run(_rows(inputs, order)))
        for name, tensor in outputs.items():
            if not tensor.ndim or tensor.shape[0] != len(order):
                return f"{len(order)} rows are answered by {name!r} of shape {list(tensor.shape)}"
            for place, row in enumerate(order):
                if not _agree(alone[row][name][0], tensor[place], absolute, relative):
                    return f"rows sent {how} get a different {name!r} than alone"
    return ""


def varied_rows(signature: Signature, rows: int, seed: int = 0) -> Tensors | None:
    """Return values of a signature's inputs that differ from row to row.

    Returns:
        the values; ``None`` where none can be made up, such as files.
    """
    if signature.files or not signature.has_rows:
        return None
    random = np.random.default_rng(seed)
    return {field.name: _varied(field, rows, random) for field in signature.inputs}


def _varied(field: Field, rows: int, random: np.random.Generator) -> npt.NDArray[Any]:
    assert field.shape is not None
    shape = [rows, *(3 if size is None else size for size in field.shape[1:])]
    if field.choices:
        picked = random.integers(len(field.choices), size=shape)
        values = [c.encode() if isinstance(c, str) else c for c in field.choices]
        return np.array(values, dtype=field.numpy_type)[picked]
    if field.dtype == "string":
        words = np.array(_WORDS, dtype=object)[random.integers(len(_WORDS), size=shape)]
        if field.max_length is not None:
            words = np.array([w[: field.max_length] for w in words.flat], object).reshape(shape)
        return words
    if field.dtype == "bool":
        return random.integers(2, size=shape).astype(np.bool_)
    low = (-2.0 if field.is_float else 0.0) if field.minimum is None else float(field.minimum)
    if field.minimum is None and field.maximum is not None:
        low = min(low, float(field.maximum) - 4.0)
    high = low + 4.0 if field.maximum is None else float(field.maximum)
    if field.is_float:
        # The distance between bounds must be a number itself.
        low, high = max(low, -_LARGEST), min(high, _LARGEST)
        return random.uniform(low, high, size=shape).astype(field.numpy_type)
    bounds = np.iinfo(field.numpy_type)
    first = min(max(int(low), int(bounds.min)), int(bounds.max))
    last = min(max(int(high), first), int(bounds.max))
    return random.integers(first, last, size=shape, dtype=field.numpy_type, endpoint=True)


def _rows(inputs: Tensors, order: npt.NDArray[np.int64]) -> Tensors:
    return {name: tensor[order] for name, tensor in inputs.items()}


def _agree(want: Any, got: Any, absolute: float, relative: float) -> bool:
    first, second = np.asarray(want), np.asarray(got)
    if first.shape != second.shape:
        return False
    if first.dtype.kind == "f":
        return bool(np.isclose(second, first, rtol=relative, atol=absolute, equal_nan=True).all())
    return bool((first == second).all())
