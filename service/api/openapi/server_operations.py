"""The operations about the server itself, and those that it does not support."""

from typing import Any

from service.api.openapi import response_headers, response_schemas
from service.api.openapi.shared_parts import ref, responses

# What a path with a region takes.
REGION = {
    "parameters": [{"name": "region", "in": "path", "required": True, "schema": {"type": "string"}}]
}


def _refused(*statuses: int) -> dict[str, Any]:
    return {str(status): ref("responses", f"Error{status}") for status in statuses}


def _of_version(ok: Any, *errors: int) -> dict[str, Any]:
    return responses(ok, *errors, headers=response_headers.OF_VERSION)


def _unsupported(what: str) -> dict[str, Any]:
    return {"summary": f"Not supported: {what}", "responses": _refused(404, 501)}


_ROOT = responses(response_schemas.ROOT, headers=response_headers.OF_ROOT)
_ROOT["200"]["content"]["text/html"] = {"schema": response_schemas.STRING}

# By endpoint and method.
SERVER: dict[tuple[str, str], dict[str, Any]] = {
    ("root.root", "GET"): {"summary": "What this is, and where to go on", "responses": _ROOT},
    ("server_v2.models", "GET"): {
        "summary": "The names of all models",
        "responses": responses(response_schemas.V2_MODELS),
    },
    ("inference_v2.server", "GET"): {
        "summary": "What the server is, and which extensions it has",
        "responses": responses(response_schemas.V2_SERVER),
    },
    ("inference_v2.live", "GET"): {
        "summary": "Whether the process lives",
        "responses": responses(response_schemas.V2_LIVE),
    },
    ("inference_v2.ready", "GET"): {
        "summary": "Whether all models serve",
        "responses": responses(response_schemas.V2_READY, 503),
    },
    ("inference_v2.model_ready", "GET"): {
        "summary": "Whether the model serves",
        "responses": _of_version(response_schemas.V2_MODEL_READY, 404, 503),
    },
    ("inference_v2.metadata", "GET"): {
        "summary": "What a signature of the model takes and gives",
        "responses": _of_version(response_schemas.V2_METADATA, 400, 404, 503),
    },
    ("inference_v2.config", "GET"): {
        "summary": "The model's configuration, as Triton writes it",
        "responses": _of_version(response_schemas.CONFIG, 400, 404, 503),
    },
    ("server_v2.traces", "GET"): {
        "summary": "The trace settings: off",
        "responses": responses(response_schemas.TRACES, 404),
    },
    ("server_v2.set_traces", "POST"): {
        "summary": "Not supported: changing trace settings",
        "responses": _refused(404, 405),
    },
    ("server_v2.logs", "GET"): {
        "summary": "The log settings",
        "responses": responses(response_schemas.LOGS),
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
        "responses": responses(response_schemas.NOTHING, 404),
    },
    ("unsupported.explain", "POST"): _unsupported("explanations"),
    ("unsupported.generate", "POST"): _unsupported("generating text"),
    ("unsupported.generate_stream", "POST"): _unsupported("generating text in parts"),
    ("unsupported.infer_stream", "POST"): _unsupported("answers in parts"),
}
