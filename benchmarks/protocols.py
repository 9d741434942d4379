"""How a request and its answer are written: one protocol for most servers, another for Triton."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.repository.golden_examples import GoldenExample

_Columns = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to ask for the predictions of some rows.

    Attributes:
        body: writes the request for some examples, one a row; JSON without spaces, as browsers
            write it.
        columns: reads an answer to them: each output's values by its name. Raises ``ValueError``,
            ``KeyError`` or ``TypeError`` when it is none.
    """

    body: Callable[[Sequence[GoldenExample]], bytes]
    columns: Callable[[Sequence[GoldenExample], bytes], _Columns]


def _rows_body(examples: Sequence[GoldenExample]) -> bytes:
    return _dump({"instances": [_bare(example.instance) for example in examples]})


def _rows_columns(examples: Sequence[GoldenExample], answer: bytes) -> _Columns:
    predictions = json.loads(answer)["predictions"]
    if len(predictions) != len(examples):
        raise ValueError(predictions)
    names = list(examples[0].prediction)
    if len(names) == 1:
        return {names[0]: np.array(predictions)}
    return {name: np.array([row[name] for row in predictions]) for name in names}


def _tensors_body(examples: Sequence[GoldenExample]) -> bytes:
    inputs = []
    for name in examples[0].instance:
        values = np.array([example.instance[name] for example in examples])
        flat = _integral(values.ravel().tolist())
        inputs.append({"name": name, "shape": list(values.shape), "datatype": "FP32", "data": flat})
    return _dump({"inputs": inputs})


def _tensors_columns(examples: Sequence[GoldenExample], answer: bytes) -> _Columns:
    outputs = {output["name"]: output for output in json.loads(answer)["outputs"]}
    columns = {
        name: np.array(outputs[name]["data"]).reshape(outputs[name]["shape"])
        for name in examples[0].prediction
    }
    if any(len(column) != len(examples) for column in columns.values()):
        raise ValueError(answer)
    return columns


def _bare(values: Mapping[str, Any]) -> Any:
    """Return a row as TensorFlow Serving writes it: a lone value without its name."""
    whole = {name: _integral(value) for name, value in values.items()}
    return next(iter(whole.values())) if len(whole) == 1 else whole


def _integral(value: Any) -> Any:
    """Write pictures with whole numbers, as clients send them."""
    if isinstance(value, list):
        return [_integral(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


# TensorFlow Serving's rows, and the tensors of the Open Inference Protocol (numbers alone).
ROWS = Protocol(_rows_body, _rows_columns)
TENSORS = Protocol(_tensors_body, _tensors_columns)
