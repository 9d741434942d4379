"""What is measured of a tensor, one number or category for each row."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from service.repository.golden_examples import Tensors

Numbers = npt.NDArray[np.float64]
# A tensor's name among others, and a number that some measures need.
Measure = Callable[[Tensors, str, float], Numbers]


def _value(tensors: Tensors, name: str, parameter: float) -> Numbers:
    """Return the value of a tensor [N] or [N, 1]."""
    return _by_row(tensors[name])[:, 0]


def _component(tensors: Tensors, name: str, parameter: float) -> Numbers:
    """Return one of the values of a vector [N, K]; the parameter is its place, from 0."""
    return _by_row(tensors[name])[:, int(parameter)]


def _mean(tensors: Tensors, name: str, parameter: float) -> Numbers:
    return np.asarray(_by_row(tensors[name]).mean(axis=1))


def _contrast(tensors: Tensors, name: str, parameter: float) -> Numbers:
    """Return the standard deviation of a row's values."""
    return np.asarray(_by_row(tensors[name]).std(axis=1))


def _foreground(tensors: Tensors, name: str, parameter: float) -> Numbers:
    """Return the share of a row's values that are above the parameter."""
    return np.asarray((_by_row(tensors[name]) > parameter).mean(axis=1))


def _detail(tensors: Tensors, name: str, parameter: float) -> Numbers:
    """Return the mean difference of a value to the next one along axis 2; blurring lowers it."""
    tensor = np.asarray(tensors[name], np.float64)
    if tensor.shape[2] < 2:
        return np.zeros(len(tensor))
    return np.asarray(_by_row(np.abs(np.diff(tensor, axis=2))).mean(axis=1))


def _width(tensors: Tensors, name: str, parameter: float) -> Numbers:
    """Return the width of the interval ``<name>_low`` to ``<name>_high``."""
    return _by_row(tensors[f"{name}_high"])[:, 0] - _by_row(tensors[f"{name}_low"])[:, 0]


def _length(tensors: Tensors, name: str, parameter: float) -> Numbers:
    """Return the length of each string, in bytes."""
    return _of_strings(tensors[name], len)


def _word_length(tensors: Tensors, name: str, parameter: float) -> Numbers:
    """Return the mean bytes from one blank to the next."""
    return _of_strings(tensors[name], lambda text: len(text) / (text.count(b" ") + 1))


def _non_ascii(tensors: Tensors, name: str, parameter: float) -> Numbers:
    """Return the share of bytes that are not ASCII."""
    return _of_strings(tensors[name], _share_beyond_ascii)


MEASURES: Mapping[str, Measure] = {
    "value": _value,
    "component": _component,
    "mean": _mean,
    "contrast": _contrast,
    "foreground": _foreground,
    "detail": _detail,
    "width": _width,
    "length": _length,
    "word length": _word_length,
    "non-ASCII": _non_ascii,
}

_ASCII = bytes(range(128))


def tensors_of(measure: str, name: str) -> tuple[str, ...]:
    """Return the names of the tensors that a measure reads."""
    return (f"{name}_low", f"{name}_high") if measure == "width" else (name,)


def top_probability(tensor: npt.NDArray[Any]) -> Numbers:
    """Return how probable the most probable class of each row is.

    Args:
        tensor: the probabilities of all classes, float [N, K], or of the second of two, [N].
    """
    rows = _by_row(tensor)
    if tensor.ndim == 1 or rows.shape[1] == 1:
        return np.maximum(rows[:, 0], 1.0 - rows[:, 0])
    return np.asarray(rows.max(axis=1))


def _by_row(tensor: npt.NDArray[Any]) -> Numbers:
    return np.asarray(tensor, np.float64).reshape(len(tensor), -1)


def _of_strings(tensor: npt.NDArray[Any], measure: Callable[[bytes], float]) -> Numbers:
    values = tensor.reshape(len(tensor), -1)[:, 0].tolist()
    texts = (value if isinstance(value, bytes) else str(value).encode() for value in values)
    return np.fromiter(map(measure, texts), np.float64, len(values))


def _share_beyond_ascii(text: bytes) -> float:
    if text.isascii():
        return 0.0
    return len(text.translate(None, _ASCII)) / len(text)
