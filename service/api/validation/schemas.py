"""marshmallow schemas: the envelope of a request, and one for each signature of each model."""

from typing import Any
from weakref import WeakKeyDictionary

import marshmallow
from marshmallow import ValidationError, fields, post_load, validates_schema

from service.api.request_limits import Limits
from service.api.validation.error_messages import describe_expected_value, shorten
from service.api.validation.problems import InvalidValueError, Problems, without_excess
from service.api.validation.strict_schema import StrictSchema
from service.api.validation.tensors import Array, to_tensor
from service.repository.contract import Field, Signature
from service.runtime.servable import Servable


class _Name(fields.Field[str]):
    """A string; the error says what came instead."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        if value is not marshmallow.missing and type(value) is not str:
            raise ValidationError(f"Expected a string, not {shorten(value)}.")
        return super().deserialize(value, *args, **kwargs)


class PredictEnvelope(StrictSchema):
    """What surrounds the values of a ``:predict`` request in TensorFlow Serving's format."""

    error_messages = {  # noqa: RUF012 - marshmallow's own way
        "unknown": "Unknown field; the body takes signature_name, and instances or inputs."
    }

    signature_name = _Name()
    instances = fields.Raw(allow_none=True)
    inputs = fields.Raw(allow_none=True)

    @validates_schema(skip_on_field_errors=False)
    def _check_one_of(self, data: dict[str, Any], **_: Any) -> None:
        given = [key for key in ("instances", "inputs") if key in data]
        if not given:
            raise ValidationError("Missing 'inputs' or 'instances' key.")
        if len(given) == 2:
            raise ValidationError("Expected only one of 'inputs' and 'instances', not both.")


class ExamplesEnvelope(StrictSchema):
    """What surrounds the features of a ``:classify`` or ``:regress`` request."""

    error_messages = {  # noqa: RUF012 - marshmallow's own way
        "unknown": "Unknown field; the body takes signature_name, context and examples."
    }

    signature_name = _Name()
    context = fields.Raw(load_default=dict, allow_none=True)
    examples = fields.Raw(
        required=True, allow_none=True, error_messages={"required": "Missing 'examples' key."}
    )

    @validates_schema(skip_on_field_errors=False)
    def _check(self, data: dict[str, Any], **_: Any) -> None:
        problems = {}
        if not isinstance(data.get("context", {}), dict):
            found = shorten(data["context"])
            problems["context"] = [f"Expected an object of features, not {found}."]
        examples = data.get("examples", [None])
        if not isinstance(examples, list) or not examples:
            found = shorten(examples)
            problems["examples"] = [f"Expected a list of at least 1 example, not {found}."]
        if problems:
            raise ValidationError(problems)


def load_envelope(
    schema: marshmallow.Schema, document: dict[str, Any], problems: Problems
) -> dict[str, Any]:
    """Return what surrounds the values of a request, checked.

    Args:
        schema: of the envelope.
        document: the JSON value.
        problems: of the request.

    Raises:
        InvalidRequestError: it is not such an envelope.
    """
    try:
        envelope: dict[str, Any] = schema.load(
            without_excess(document, schema.fields, problems.limit)
        )
        return envelope
    except ValidationError as error:
        problems.add_schema_errors(error)
    raise problems.error()


class TensorField(fields.Field[Array]):
    """A marshmallow field that loads nested lists as one tensor.

    Its error messages are a dict from indices into the value, as tuples, to sentences.

    Attributes:
        spec: the contract's field.
    """

    def __init__(self, spec: Field, *, limit: int) -> None:
        """The field for ``spec``, which reports up to ``limit`` problems."""
        expected = describe_expected_value(spec)
        super().__init__(
            required=not spec.may_be_absent,
            data_key=spec.name,
            error_messages={"required": f"Missing; expected {expected}."},
        )
        self.spec = spec
        self._limit = limit

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        # To marshmallow null is no value. Here it may be one, or what stands in place of a list.
        if value is None:
            return self._deserialize(value, None, None)
        return super().deserialize(value, *args, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **_: Any) -> Array:
        try:
            return to_tensor(self.spec, value, limit=self._limit)
        except InvalidValueError as error:
            raise ValidationError({i: [text] for i, text in error.problems.items()}) from error


class _SignatureSchema(StrictSchema):
    """Loads tensors by the names of the inputs."""

    @post_load
    def _name(self, data: dict[str, Array], **_: Any) -> dict[str, Array]:
        return {str(self.fields[key].data_key): tensor for key, tensor in data.items()}


def signature_schema(signature: Signature, *, limit: int) -> marshmallow.Schema:
    """Return the schema of a signature's inputs as whole tensors, by name.

    Args:
        signature: whose inputs.
        limit: the most problems that one tensor reports.
    """
    names = ", ".join(field.name for field in signature.inputs) or "no inputs"
    # Inputs may have any name, also those that have a meaning in marshmallow ("a.b", "Meta").
    tensors: dict[str, fields.Field[Any]] = {
        f"input_{i}": TensorField(field, limit=limit) for i, field in enumerate(signature.inputs)
    }
    schema = _SignatureSchema.from_dict(tensors)()
    schema.error_messages = {
        **schema.error_messages,
        "unknown": f"Unknown field; signature {signature.name!r} takes {names}.",
    }
    return schema


class SchemaBook:
    """The schemas of all loaded versions, each made once and dropped with its version."""

    def __init__(self, limits: Limits) -> None:
        """A book without schemas, for requests within limits."""
        # One more shows that there are more.
        self._limit = limits.max_errors + 1
        self._schemas: WeakKeyDictionary[Servable, dict[str, marshmallow.Schema]] = (
            WeakKeyDictionary()
        )

    def schema(self, servable: Servable, signature: Signature) -> marshmallow.Schema:
        """Return the schema of one of ``servable``'s signatures."""
        schemas = self._schemas.setdefault(servable, {})
        if signature.name not in schemas:
            schemas[signature.name] = signature_schema(signature, limit=self._limit)
        return schemas[signature.name]
