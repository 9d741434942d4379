"""The requests and answers of one signature as JSON Schema, with real examples."""

from dataclasses import dataclass
from typing import Any

from service.api.openapi.field_schemas import B64, Schema, instance_schema, tensor_schema
from service.repository.contract import DEFAULT_SIGNATURE, Field, Signature
from service.repository.golden_examples import (
    Golden,
    GoldenExample,
    example_text,
    examples_to_show,
)

# Characters of JSON. A picture of the usual size has a million, which whoever reads the document
# would load.
_LONGEST_EXAMPLE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Bodies:
    """What a verb takes and gives.

    Attributes:
        request: the schema of a request.
        answer: the schema of its answer.
        examples: pairs of both by title, of golden examples.
    """

    request: Schema
    answer: Schema
    examples: dict[str, tuple[Any, Any]]


def predict_bodies(
    signature: Signature, golden: Golden | None, columns: Schema, *, max_rows: int
) -> Bodies:
    """Describe ``:predict`` of one signature.

    Args:
        signature: the signature.
        golden: the version's golden examples.
        columns: the schema of an object of its inputs as whole tensors.
        max_rows: the most rows of a request.
    """
    rows = {"type": "array", "items": _row(signature), "minItems": 1, "maxItems": max_rows}
    inputs = columns
    if len(signature.inputs) == 1:
        inputs = {"anyOf": [tensor_schema(signature.inputs[0]), columns]}
    named = _signature_name(signature)
    return Bodies(
        request={
            "title": signature.name,
            "anyOf": [
                _envelope({**named, "instances": rows}, named, "instances"),
                _envelope({**named, "inputs": inputs}, named, "inputs"),
            ],
        },
        answer={
            "title": signature.name,
            "anyOf": [
                _object(
                    {"predictions": {"type": "array", "items": _outputs(signature, rows=True)}}
                ),
                _object({"outputs": _outputs(signature, rows=False)}),
            ],
        },
        examples=_predict_examples(signature, golden),
    )


def examples_bodies(
    signature: Signature, golden: Golden | None, result: Schema, *, max_rows: int
) -> Bodies:
    """Describe ``:classify`` or ``:regress`` of one signature; ``result`` is that of one row."""
    named = _signature_name(signature)
    # Features may be flat or in the context, so that no example need have them all.
    features = {"type": "object", "description": f"Of {', '.join(_names(signature))}."}
    examples = {"type": "array", "items": features, "minItems": 1, "maxItems": max_rows}
    chosen = _chosen(signature, golden)[:1]
    return Bodies(
        request={
            "title": signature.name,
            **_envelope({**named, "context": features, "examples": examples}, named, "examples"),
        },
        answer={
            "title": signature.name,
            **_object({"results": {"type": "array", "items": result}}),
        },
        examples={
            _title(example): ({**_named(signature), "examples": [dict(example.instance)]}, None)
            for example in chosen
        },
    )


def _predict_examples(signature: Signature, golden: Golden | None) -> dict[str, tuple[Any, Any]]:
    found = {}
    for example in _chosen(signature, golden):
        prediction: Any = dict(example.prediction)
        if len(signature.outputs) == 1:
            (prediction,) = prediction.values()
        request = {**_named(signature), "instances": [dict(example.instance)]}
        found[_title(example)] = (request, {"predictions": [prediction]})
    return found


def _chosen(signature: Signature, golden: Golden | None) -> list[GoldenExample]:
    """Return the examples that are shown: the first two, unless they are too large to read."""
    names = set(_names(signature))
    shown = [
        example
        for example in examples_to_show(golden, {signature.name: signature})
        if names >= set(example.instance)
    ]
    return [each for each in shown[:2] if len(example_text(each)) <= _LONGEST_EXAMPLE]


def _title(example: GoldenExample) -> str:
    return example.note or example.signature


def _names(signature: Signature) -> list[str]:
    return [field.name for field in signature.inputs]


def _named(signature: Signature) -> dict[str, str]:
    return {} if signature.name == DEFAULT_SIGNATURE else {"signature_name": signature.name}


def _signature_name(signature: Signature) -> dict[str, Schema]:
    return {"signature_name": {"const": signature.name}}


def _envelope(properties: dict[str, Schema], named: dict[str, Schema], key: str) -> Schema:
    default = named["signature_name"]["const"] == DEFAULT_SIGNATURE
    return _object(properties, required=[key] if default else ["signature_name", key])


def _row(signature: Signature) -> Schema:
    required = [field.name for field in signature.inputs if not field.may_be_absent]
    named = _object({f.name: instance_schema(f) for f in signature.inputs}, required=required)
    if len(signature.inputs) != 1:
        return named
    return {"anyOf": [instance_schema(signature.inputs[0]), named]}


def _outputs(signature: Signature, *, rows: bool) -> Schema:
    describe = instance_schema if rows else tensor_schema
    values = {field.name: describe(_as_output(field)) for field in signature.outputs}
    return next(iter(values.values())) if len(values) == 1 else _object(values)


def _as_output(field: Field) -> Field:
    """Return what an answer may really be: a model is not held to its own bounds and choices."""
    return Field(
        name=field.name,
        dtype=field.dtype,
        shape=field.shape,
        description=field.description,
        unit=field.unit,
    )


def _object(properties: dict[str, Schema], required: list[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


CLASSES: Schema = {
    "type": "array",
    "items": {
        "type": "array",
        "prefixItems": [{"anyOf": [{"type": "string"}, B64]}, {"type": "number"}],
        "minItems": 2,
        "maxItems": 2,
    },
}
VALUE: Schema = {"type": "number"}
