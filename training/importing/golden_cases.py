"""Which samples become golden examples: some from all parts of their file, if they have room."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from service.repository.contract import Contract
from service.repository.safe_open import MOST_BYTES
from training.array_types import Predict
from training.importing.sample_file import Samples
from training.importing.sample_requests import shape_of
from training.publishing.saved_model_export import answer
from training.tasks.task_interface import Case

# As many as a trained version has, about: the service answers all of them when it loads it.
_MOST = 16
# Half of what a service reads: each of its workers does so when it loads the version.
_MOST_JSON_BYTES = MOST_BYTES // 2


def golden_cases(samples: Samples, every: Sequence[Mapping[str, Any]]) -> list[Case]:
    """Return some of the samples, all different and of one shape, from all parts of their file.

    Args:
        samples: the file.
        every: its rows as ``sample_requests.instances`` returns them.
    """
    distinct = {_digest(instance): index for index, instance in reversed(list(enumerate(every)))}
    # Golden examples are asked together, which rows of different shapes cannot be.
    of_shape: dict[Any, list[int]] = {}
    for index in sorted(distinct.values()):
        of_shape.setdefault(shape_of(every[index]), []).append(index)
    kept = max(of_shape.values(), key=len)
    return [
        Case(
            instance=every[i],
            note=f"{samples.name}, {samples.rows[i].place.rpartition(', ')[2]}",
        )
        for i in _spread(kept, _MOST)
    ]


def that_fit(cases: Sequence[Case], predict: Predict, contract: Contract) -> list[Case]:
    """Return as many of the cases as a file of golden examples holds, in JSON.

    Raises:
        UnansweredError: the graph refuses the first case; the message begins with its note.
    """
    if not cases:
        return []
    largest = 0
    for case in cases:
        largest = max(largest, len(json.dumps(to_json(case.instance))))
        if largest > _MOST_JSON_BYTES:
            return []
    # Their answers are about as large as one another, since they are of one shape.
    (first,) = answer(predict, contract, cases[:1]).examples
    largest += len(json.dumps(first.prediction))
    return [
        replace(case, instance=to_json(case.instance))
        for case in _spread(cases, _MOST_JSON_BYTES // largest)
    ]


def to_json(instance: Mapping[str, Any]) -> dict[str, Any]:
    """Return an instance whose arrays are lists, in the fewest digits that say the same."""
    return {
        name: _shortest(value).tolist() if isinstance(value, np.ndarray) else value
        for name, value in instance.items()
    }


def _spread(items: Sequence[Any], most: int) -> list[Any]:
    """Return so many items at most, evenly spread."""
    count = min(len(items), most)
    return [items[i * len(items) // count] for i in range(count)]


def _shortest(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.float32:
        return array
    # As float64 each would have 17 digits.
    return array.astype(str).astype(np.float64)


def _digest(instance: Mapping[str, Any]) -> bytes:
    """Return what only instances of the same values have in common."""
    digest = hashlib.sha256()
    for value in instance.values():
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype}{value.shape}".encode())
            digest.update(value.tobytes())
        else:
            digest.update(repr(value).encode("utf-8", errors="surrogatepass"))
    return digest.digest()
