"""The operations of the document: requests, responses and errors of each route."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.routing import Rule

from service.api.codecs.media.content_types import content_types, in_order
from service.api.openapi import response_headers, response_schemas
from service.api.openapi.field_schemas import Schema
from service.api.openapi.page_operations import PAGE
from service.api.openapi.response_schemas import an_object
from service.api.openapi.server_operations import REGION, SERVER
from service.api.openapi.shared_parts import JSON, responses
from service.api.openapi.signature_schemas import Bodies
from service.runtime.servable import Servable

Operation = dict[str, Any]

_PREDICTION_ERRORS = (400, 404, 408, 413, 415, 500, 503, 504)
_ADMIN_ERRORS = (400, 401, 403, 404, 408, 409, 413, 415)
_TEXT = "text/plain"
_OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class DocumentedTarget:
    """A model, version or label as a path names it.

    Attributes:
        model: the model's name.
        title: what it is, for people.
        servable: what answers there; ``None`` while nothing does.
        bodies: the names of the components that describe each verb's bodies.
    """

    model: str
    title: str
    servable: Servable | None
    bodies: Mapping[str, Bodies]


def describe_operation(rule: Rule, method: str, target: DocumentedTarget | None) -> Operation:
    """Return the operation of a route; empty when nothing answers it here."""
    verb = rule.endpoint.rpartition(".")[2]
    about: Operation = {}
    if target is not None:
        about["tags"] = [target.model]
    if rule.endpoint.startswith(("predict.", "classify.", "regress.")):
        if target is None or verb not in target.bodies:
            return {}
        return about | _inference(verb, target)
    if "<path:region>" in rule.rule:
        about |= REGION
    known = _KNOWN.get((rule.endpoint, method))
    if known:
        return about | known
    return about | _SOMETHING | {"summary": f"{rule.endpoint}"}


def _inference(verb: str, target: DocumentedTarget) -> Operation:
    bodies = target.bodies[verb]
    body: dict[str, Any] = {"schema": bodies.request}
    requests = {name: pair[0] for name, pair in bodies.examples.items()}
    answers = {name: pair[1] for name, pair in bodies.examples.items() if pair[1]}
    if requests:
        body["examples"] = requests
    content = {JSON: body}
    if verb == "predict" and target.servable is not None:
        for signature in in_order(target.servable.contract):
            content |= {kind: {} for kind in content_types(signature)}
    card = target.servable.card if target.servable else None
    return {
        "summary": f"{verb.capitalize()}: {target.title}",
        "description": card.description if card else "",
        "requestBody": {"required": True, "content": content},
        "responses": responses(
            bodies.answer,
            *_PREDICTION_ERRORS,
            headers=response_headers.OF_PREDICTION,
            examples=answers,
        ),
    }


_V2_INPUT = an_object(
    {
        "name": response_schemas.STRING,
        "datatype": response_schemas.STRING,
        "shape": {"type": "array"},
    }
)
_IF_MATCH: Schema = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the policy that is to be changed; another is left as it is.",
    "schema": {"type": "string"},
}
_EVENT_ERRORS = (400, 401, 403, 404, 503)
_AUDIT_COUNT: Schema = {
    "name": "count",
    "in": "query",
    "description": "How many rows at most.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
}
_V2_ANSWERS = responses(
    response_schemas.V2_ANSWER, *_PREDICTION_ERRORS, headers=response_headers.OF_BYTES
)
_V2_ANSWERS["200"]["content"][_OCTETS] = {}
_ADMIN: Operation = {"security": [{"admin": []}]}
_KNOWN: dict[tuple[str, str], Operation] = {
    ("health.livez", "GET"): {
        "summary": "Whether the process lives",
        "responses": responses(response_schemas.LIVE),
    },
    ("health.readyz", "GET"): {
        "summary": "Whether a model serves",
        "responses": responses(response_schemas.READY, 503),
    },
    ("health.exposition", "GET"): {
        "summary": "Metrics for Prometheus",
        "responses": responses(response_schemas.STRING, content_type=_TEXT),
    },
    ("health.tensorflow_serving_exposition", "GET"): {
        "summary": "The same with TensorFlow Serving's names",
        "responses": responses(response_schemas.STRING, content_type=_TEXT),
    },
    ("models.list_models", "GET"): {
        "summary": "All models, what they take, and the states of their versions",
        "responses": responses(response_schemas.MODELS),
    },
    ("models.status", "GET"): {
        "summary": "The states of a model's versions",
        "responses": responses(response_schemas.STATUS, 404, 503),
    },
    ("models.metadata", "GET"): {
        "summary": "The signatures in TensorFlow's own form",
        "responses": responses(
            response_schemas.METADATA, 404, 503, headers=response_headers.OF_VERSION
        ),
    },
    ("drift.drift", "GET"): {
        "summary": "Whether live rows are like those that the version was measured with",
        "responses": responses(
            response_schemas.DRIFT, 404, 503, headers=response_headers.OF_VERSION
        ),
    },
    ("feedback.put_truths", "POST"): {
        "summary": "Say what turned out to be true of stored predictions",
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": response_schemas.FEEDBACK}},
        },
        "responses": responses(
            response_schemas.FEEDBACK_RESULT,
            *_EVENT_ERRORS,
            *(408, 413, 415),
            headers=response_headers.OF_EVENTS,
        ),
    },
    ("feedback.audits", "GET"): {
        "summary": "A random sample of stored rows to be labelled, without their answers",
        "parameters": [_AUDIT_COUNT],
        "responses": responses(
            response_schemas.AUDITS, *_EVENT_ERRORS, headers=response_headers.OF_EVENTS
        ),
    },
    ("admin.get_policy", "GET"): {
        "summary": "Which versions should serve",
        "responses": responses(
            response_schemas.POLICY, *_ADMIN_ERRORS, headers=response_headers.OF_POLICY
        ),
        **_ADMIN,
    },
    ("admin.put_policy", "PUT"): {
        "summary": "Say which versions should serve; what the body does not name stays as it is",
        "parameters": [_IF_MATCH],
        "requestBody": {"required": True, "content": {JSON: {"schema": response_schemas.POLICY}}},
        "responses": responses(
            response_schemas.POLICY, *_ADMIN_ERRORS, 412, headers=response_headers.OF_POLICY
        ),
        **_ADMIN,
    },
    ("admin.roll_back", "POST"): {
        "summary": "Serve the version before",
        "parameters": [_IF_MATCH],
        "responses": responses(
            response_schemas.POLICY, *_ADMIN_ERRORS, 412, headers=response_headers.OF_POLICY
        ),
        **_ADMIN,
    },
    ("rollouts.get_rollout", "GET"): {
        "summary": "Whether a version is on trial, how far it is, and all decisions on it",
        "responses": responses(response_schemas.ROLLOUT, 404),
    },
    ("rollouts.start_rollout", "POST"): {
        "summary": "Put a version on trial against the one that serves",
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": response_schemas.ROLLOUT_REQUEST}},
        },
        "responses": responses(
            response_schemas.POLICY, *_ADMIN_ERRORS, 503, headers=response_headers.OF_POLICY
        ),
        **_ADMIN,
    },
    ("openapi.document", "GET"): {
        "summary": "This document",
        "responses": responses(response_schemas.DOCUMENT, headers=response_headers.PACKED),
    },
    ("openapi.page", "GET"): {
        "summary": "This document as a page",
        "responses": responses(
            response_schemas.STRING, content_type="text/html", headers=response_headers.OF_PAGE
        ),
    },
    ("openapi.script", "GET"): {
        "summary": "The page's script",
        "responses": responses(
            response_schemas.STRING,
            content_type="text/javascript",
            headers=response_headers.OF_PAGE,
        ),
    },
    ("openapi.style", "GET"): {
        "summary": "The page's style",
        "responses": responses(
            response_schemas.STRING, content_type="text/css", headers=response_headers.OF_PAGE
        ),
    },
    ("inference_v2.infer", "POST"): {
        "summary": "Infer, by the Open Inference Protocol",
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "id": {"type": ["string", "null"]},
                            "parameters": {"type": ["object", "null"]},
                            "inputs": {
                                "type": "array",
                                "items": _V2_INPUT,
                            },
                            "outputs": {"type": ["array", "null"]},
                        },
                        "required": ["inputs"],
                    }
                }
            },
        },
        "responses": _V2_ANSWERS,
    },
}
_KNOWN |= PAGE
_REPOSITORY_BODY = {"requestBody": {"content": {JSON: {"schema": response_schemas.ANY_OBJECT}}}}
_KNOWN |= {
    ("repository_v2.index", "POST"): {
        "summary": "Every version there is, with its state",
        **_REPOSITORY_BODY,
        "responses": responses(response_schemas.INDEX, 400, 408, 413, 415),
    },
    ("repository_v2.load", "POST"): {
        "summary": "Load the model that was unloaded",
        **_REPOSITORY_BODY,
        "responses": responses(response_schemas.NOTHING, *_ADMIN_ERRORS, 504),
        **_ADMIN,
    },
    ("repository_v2.unload", "POST"): {
        "summary": "Unload the model until it is loaded again",
        **_REPOSITORY_BODY,
        "responses": responses(response_schemas.NOTHING, *_ADMIN_ERRORS, 504),
        **_ADMIN,
    },
}
_KNOWN |= SERVER
_STATISTICS: Operation = {"responses": responses(response_schemas.STATISTICS, 404, 503)}
_KNOWN |= {
    ("statistics_v2.everything", "GET"): {
        "summary": "Counts and times of all models, over all workers",
        **_STATISTICS,
    },
    ("statistics_v2.stats", "GET"): {
        "summary": "Counts and times of the model's versions, over all workers",
        **_STATISTICS,
    },
}
_SOMETHING: Operation = {"responses": {"default": {"description": "The answer."}}}
