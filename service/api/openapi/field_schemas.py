"""Fields of a contract as JSON Schema (draft 2020-12, which OpenAPI 3.1 uses)."""

from typing import Any

import numpy as np

from service.repository.contract import LARGEST_BFLOAT16, Field

Schema = dict[str, Any]

B64: Schema = {
    "type": "object",
    "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
    "required": ["b64"],
    "additionalProperties": False,
}


def instance_schema(field: Field) -> Schema:
    """Describe one row's value of an input or output."""
    return _described(field, _nested(field, field.instance_shape))


def tensor_schema(field: Field) -> Schema:
    """Describe the value of all rows."""
    schema = _nested(field, field.shape)
    # Other free dimensions may be empty; the first holds the instances.
    least = {"minItems": 1} if field.shape and field.shape[0] is None else {}
    return _described(field, {**schema, **least})


def _described(field: Field, schema: Schema) -> Schema:
    text = " ".join(filter(None, (field.description, field.unit and f"In {field.unit}.")))
    return {**schema, "description": text} if text else schema


def _nested(field: Field, shape: tuple[int | None, ...] | None) -> Schema:
    leaf = _leaf(field)
    if shape is None:
        return {"anyOf": [leaf, {"type": "array", "minItems": 1}]}
    for size in reversed(shape):
        bounds = {} if size is None else {"minItems": size, "maxItems": size}
        leaf = {"type": "array", "items": leaf, **bounds}
    return leaf


def _leaf(field: Field) -> Schema:
    if field.choices:
        return {"enum": [*field.choices, *([None] if field.nullable else [])]}
    if field.dtype == "bool":
        return {"type": "boolean"}
    if field.dtype == "string":
        # Bytes are counted, and a character has one at least.
        most = {} if field.max_length is None else {"maxLength": field.max_length}
        return {"anyOf": [{"type": "string", **most}, B64]}
    kind: str | list[str] = "number" if field.is_float else "integer"
    low, high = _bounds(field)
    if field.nullable:
        kind = [str(kind), "null"]
    return {"type": kind, "minimum": low, "maximum": high}


def _bounds(field: Field) -> tuple[float, float]:
    low: float
    high: float
    if field.is_float:
        limits = np.finfo(field.numpy_type)
        low, high = float(limits.min), float(limits.max)
        if field.dtype == "bfloat16":
            low, high = -LARGEST_BFLOAT16, LARGEST_BFLOAT16
    else:
        low, high = np.iinfo(field.numpy_type).min, np.iinfo(field.numpy_type).max
    return (
        low if field.minimum is None else max(low, field.minimum),
        high if field.maximum is None else min(high, field.maximum),
    )
