"""Responses in TensorFlow Serving's REST format of ``:predict``: tensors to JSON."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from service.api.codecs.tfserving.predict_requests import PredictRequest
from service.api.validation.finite_outputs import check_finite
from service.api.validation.tensors import Array
from service.errors import InvalidRequestError
from service.repository.contract import Field
from service.repository.json_strings import string_to_json

# TensorFlow Serving's mark of outputs that are bytes, not text.
_BYTES_SUFFIX = "_bytes"


def encode_response(request: PredictRequest, outputs: Mapping[str, Array]) -> bytes:
    """Return the response's body: ``predictions`` for rows, ``outputs`` for columns.

    A signature with one output answers with its values alone, as in TensorFlow Serving. Where
    values came without a list around each, single values are answered without lists as well.

    Raises:
        InvalidRequestError: rows were sent to a model that does not answer by rows.
        InvalidRequestError: the answer has a NaN or an infinity, which JSON does not have.
    """
    if request.scalars:
        outputs = {
            field.name: _without_lists(field, outputs[field.name])
            for field in request.signature.outputs
        }
    values = {name: _jsonable(name, tensor) for name, tensor in outputs.items()}
    if request.rows is None:
        answer = next(iter(values.values())) if len(values) == 1 else values
        return _dump({"outputs": answer})
    for name, tensor in outputs.items():
        if tensor.ndim == 0 or tensor.shape[0] != request.rows:
            raise InvalidRequestError(
                f"Output {name!r} has shape {list(tensor.shape)}, not a row for each of the "
                f"{request.rows} instances; send 'inputs' instead of 'instances'."
            )
    if len(values) == 1:
        return _dump({"predictions": next(iter(values.values()))})
    names = tuple(values)
    rows = zip(*map(_by_rows, values.values()), strict=True)
    return _dump({"predictions": [dict(zip(names, row, strict=True)) for row in rows]})


def _without_lists(field: Field, tensor: Array) -> Array:
    """Return an output of shape ``[N, 1]`` as ``[N]``, and any other unchanged."""
    is_single = field.is_single or field.shape is None
    has_lists = tensor.ndim > 1 and set(tensor.shape[1:]) == {1}
    return tensor.reshape(-1) if is_single and has_lists else tensor


def _jsonable(name: str, tensor: Array) -> Any:
    if tensor.dtype == object:
        return _texts(tensor.tolist(), always_b64=name.endswith(_BYTES_SUFFIX))
    check_finite(name, tensor)
    return np.ascontiguousarray(tensor) if tensor.ndim else tensor[()]


def _by_rows(value: Any) -> Any:
    """Return the rows of a JSON value, each as the type that orjson writes fastest."""
    # A number of Python's is written sooner than one of numpy's, but has float64's digits.
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iub":
        return value.tolist()
    return value


def _texts(value: Any, *, always_b64: bool) -> Any:
    if isinstance(value, list):
        if value and isinstance(value[0], bytes) and not always_b64:
            try:
                return list(map(bytes.decode, value))
            except UnicodeDecodeError:
                pass
        return [_texts(item, always_b64=always_b64) for item in value]
    return string_to_json(value, as_base64=always_b64)


def _dump(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
