"""What many operations share: the error body, headers, and responses other than predictions."""

from typing import Any

import marshmallow
from marshmallow import fields, validate

from service.api.openapi import response_headers as sent
from service.api.openapi.field_schemas import Schema
from service.errors import ServiceError

JSON = "application/json"


class ErrorBody(marshmallow.Schema):
    """The one body of every failure."""

    error = fields.String(required=True, metadata={"description": "What is wrong, in a sentence."})
    code = fields.String(required=True, metadata={"description": "Its name, for programs."})
    details = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "The messages by path, as instances[3].width."},
    )


class _VersionError(marshmallow.Schema):
    error_code = fields.String(required=True)
    error_message = fields.String(required=True)


class _VersionStatus(marshmallow.Schema):
    version = fields.String(required=True)
    state = fields.String(
        required=True,
        validate=validate.OneOf(["START", "LOADING", "AVAILABLE", "UNLOADING", "END"]),
    )
    status = fields.Nested(_VersionError, required=True)


class ModelStatus(marshmallow.Schema):
    """TensorFlow Serving's status of a model."""

    model_version_status = fields.List(fields.Nested(_VersionStatus), required=True)


class PolicySchema(marshmallow.Schema):
    """Which versions serve, and their labels."""

    serve = fields.Dict(
        metadata={"description": '{"latest": 1}, or {"versions": [3, 4]}', "example": {"latest": 1}}
    )
    labels = fields.Dict(keys=fields.String(), values=fields.Integer())
    keep = fields.Integer(allow_none=True)
    unloaded = fields.Boolean()
    rows_independent = fields.Raw(
        metadata={
            "description": "Whether rows are independent: of all signatures, or by name.",
            "anyOf": [
                {"type": "boolean"},
                {"type": "object", "additionalProperties": {"type": "boolean"}},
            ],
        }
    )
    allow_operations = fields.List(fields.String())
    rollout = fields.Dict(
        allow_none=True,
        metadata={"description": "The rollout under way; POST :rollout begins one."},
    )
    events = fields.Dict(
        metadata={
            "description": "Which predictions are stored, where the service stores any.",
            "example": {"rate": 0.1},
        }
    )


SCHEMAS: dict[str, type[marshmallow.Schema]] = {
    "Error": ErrorBody,
    "ModelStatus": ModelStatus,
    "Policy": PolicySchema,
}
_MEANINGS = {
    400: "The request is not what the model or the protocol takes.",
    401: "The API key or the admin token is missing, or may not be used for this.",
    403: "The admin API, or the event store, is off.",
    404: "There is no such path, model, version or label.",
    405: "The path has no such method.",
    408: "The client paused for too long.",
    409: "It cannot be done as things are.",
    412: "The policy is not the one that If-Match names any more.",
    413: "The body is too large.",
    415: "The body is of a type, or packed in a way, that is not read here.",
    500: "The model or the service failed.",
    501: "It is not supported here; the message says what is instead.",
    503: "It cannot be answered now; Retry-After says when to come back.",
    504: "The answer was not there in time.",
}
# Of a service with API keys, or a list of its hosts, alone.
_OF_ACCESS = {
    421: "The service does not answer to the name in Host.",
    429: "The API key has used up its rate; Retry-After says when to come back.",
}


def component_name(text: str, taken: set[str]) -> str:
    """Return a name for a component like ``text``, of the characters allowed, that is free."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in text)
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    taken.add(name)
    return name


def ref(kind: str, name: str) -> Schema:
    return {"$ref": f"#/components/{kind}/{name}"}


def error_component(status: int) -> dict[str, Any]:
    """Return the component that describes an error of a status."""
    code = ServiceError("", status=status).code
    example = {"error": "One sentence that says what is wrong.", "code": code}
    return {
        "description": _MEANINGS.get(status) or _OF_ACCESS[status],
        "headers": sent.error_headers(status),
        "content": {JSON: {"schema": ref("schemas", "Error"), "example": example}},
    }


ERROR_STATUSES = tuple(_MEANINGS)


def responses(
    ok: Any,
    *errors: int,
    headers: sent.Headers = sent.PLAIN,
    content_type: str = JSON,
    examples: Any = None,
) -> dict[str, Any]:
    """Return an operation's responses: 200 with a schema and headers, and errors by status."""
    content: dict[str, Any] = {"schema": ok}
    if examples:
        content["examples"] = examples
    return {
        "200": {
            "description": "The answer.",
            "headers": headers,
            "content": {content_type: content},
        },
        **{str(status): ref("responses", f"Error{status}") for status in errors},
    }
