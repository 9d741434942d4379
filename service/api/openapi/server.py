"""The operations that tell of the server itself, and of what it does not do."""

from typing import Any

from service.api.openapi.common import ref, responses

_OBJECT: dict[str, Any] = {"type": "object"}
# What a path with a region takes.
REGION = {
    "parameters": [{"name": "region", "in": "path", "required": True, "schema": {"type": "string"}}]
}


def _refused(*statuses: int) -> dict[str, Any]:
    return {str(status): ref("responses", f"Error{status}") for status in statuses}


def _unsupported(what: str) -> dict[str, Any]:
    return {"summary": f"Not supported: {what}", "responses": _refused(404, 501)}


_ROOT = responses(
    {
        "type": "object",
        "properties": {
            "status": {"const": "alive"},
            "models": {"type": "array", "items": {"type": "string"}},
            "endpoints": {"type": "object"},
        },
        "required": ["status", "models", "endpoints"],
    }
)
_ROOT["200"]["content"]["text/html"] = {"schema": {"type": "string"}}

# By endpoint and method.
SERVER: dict[tuple[str, str], dict[str, Any]] = {
    ("root.root", "GET"): {"summary": "What this is, and where to go on", "responses": _ROOT},
    ("server_v2.models", "GET"): {
        "summary": "The names of all models",
        "responses": responses(
            {
                "type": "object",
                "properties": {"models": {"type": "array", "items": {"type": "string"}}},
                "required": ["models"],
            }
        ),
    },
    ("inference_v2.config", "GET"): {
        "summary": "The model's configuration, as Triton writes it",
        "responses": responses(
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "platform": {"type": "string"},
                    "max_batch_size": {"type": "integer"},
                    "input": {"type": "array", "items": _OBJECT},
                    "output": {"type": "array", "items": _OBJECT},
                },
                "required": ["name", "platform", "max_batch_size", "input", "output"],
            },
            400,
            404,
            503,
        ),
    },
    ("server_v2.traces", "GET"): {
        "summary": "The trace settings: off",
        "responses": responses(_OBJECT, 404),
    },
    ("server_v2.set_traces", "POST"): {
        "summary": "Not supported: changing trace settings",
        "responses": _refused(404, 405),
    },
    ("server_v2.logs", "GET"): {
        "summary": "The log settings",
        "responses": responses(_OBJECT),
    },
    ("server_v2.set_logs", "POST"): {
        "summary": "Not supported: changing log settings",
        "responses": _refused(405),
    },
    ("server_v2.memory", "GET"): {
        "summary": "The regions of shared memory: none",
        "responses": responses({"type": "array"}),
    },
    ("server_v2.region", "GET"): {
        "summary": "A region of shared memory: there is none",
        "responses": _refused(404),
    },
    ("server_v2.register", "POST"): _unsupported("sharing memory"),
    ("server_v2.unregister", "POST"): {
        "summary": "Share no memory any more, as is so already",
        "responses": responses(_OBJECT, 404),
    },
    ("unsupported.explain", "POST"): _unsupported("explanations"),
    ("unsupported.generate", "POST"): _unsupported("generating text"),
    ("unsupported.generate_stream", "POST"): _unsupported("generating text in parts"),
    ("unsupported.infer_stream", "POST"): _unsupported("answers in parts"),
}
