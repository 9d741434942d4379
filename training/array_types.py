"""The types that all of training shares: arrays, and the function that calls a version."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
Tensors = Mapping[str, Array]

# Calls one signature of an exported version: its name and inputs to its outputs.
Predict = Callable[[str, Tensors], dict[str, Array]]

# What a task makes of its files; each task has a class of its own.
Data = TypeVar("Data")
