"""Requests of the Open Inference Protocol for ``affine``, good ones to be spoilt."""

from typing import Any

HEADER = "Inference-Header-Content-Length"
X = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
TEXT = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["quiet"]}
SHIFT = {"name": "shift", "shape": [1], "datatype": "FP32", "data": [0]}
# What a number of X should have been.
RANGE = "Expected a number from -100 to 100 m"


def without(item: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in item.items() if k != key}


def with_bytes(item: dict[str, Any], size: Any) -> dict[str, Any]:
    return without(item, "data") | {"parameters": {"binary_data_size": size}}


def by_signature(name: str, *inputs: Any) -> dict[str, Any]:
    return {"inputs": list(inputs), "parameters": {"signature_name": name}}
