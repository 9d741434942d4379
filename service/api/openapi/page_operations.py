"""The operations of the page for people: its files, and what it asks for to be shown."""

from typing import Any

from service.api.openapi import response_headers
from service.api.openapi.response_schemas import (
    ANY_OBJECT,
    ANYTHING,
    FLAG,
    NUMBER,
    STRING,
    WHOLE,
    an_object,
    array,
    by_name,
)
from service.api.openapi.shared_parts import responses

_TIMES = an_object({"requests": WHOLE, "failures": WHOLE, "buckets": array(WHOLE)})
_OVERVIEW = an_object(
    {
        "version": STRING,
        "admin": FLAG,
        "keys": FLAG,
        "max_rows": WHOLE,
        "max_body_bytes": WHOLE,
        "problem": STRING,
        "bounds": {**array(NUMBER), "description": "The buckets' upper bounds, in seconds."},
        "models": array(
            an_object(
                {
                    "name": STRING,
                    "title": STRING,
                    "version": {"type": ["string", "null"]},
                    "evaluation": {"type": ["object", "null"]},
                    "labels": by_name(WHOLE),
                    "pinned": FLAG,
                    "unloaded": FLAG,
                    "marks": array(STRING),
                    "rollout": {"type": ["object", "null"]},
                    "events": {
                        **STRING,
                        "description": "Which requests are stored; empty where none are.",
                    },
                    "policy": {**STRING, "description": "What becomes of new versions."},
                    "policy_problem": STRING,
                    "versions": array(
                        an_object({"version": STRING, "state": STRING, "reason": STRING})
                    ),
                    "times": by_name(_TIMES),
                }
            )
        ),
        "ignored": array(an_object({"path": STRING, "reason": STRING})),
    }
)
_VERSION = an_object(
    {
        "name": STRING,
        "version": STRING,
        "signatures": by_name(ANY_OBJECT),
        "contract": array(ANY_OBJECT),
        "examples": array(
            an_object(
                {
                    "note": STRING,
                    "title": STRING,
                    "is_hard": FLAG,
                    "signature": STRING,
                    "instance": ANY_OBJECT,
                    "truth": ANY_OBJECT,
                }
            )
        ),
        "card": ANYTHING,
    }
)
_ASKED = an_object(
    {
        "signature": STRING,
        "row": ANY_OBJECT,
        "origin": STRING,
        "is_pinned": FLAG,
        "is_whole": FLAG,
    }
)
_SAMPLES = an_object(
    {
        "samples": array(an_object({"title": STRING, "code": STRING})),
        "body": {**STRING, "description": "The request's, as JSON."},
    }
)
_PAGE = responses(STRING, content_type="text/html", headers=response_headers.OF_ROOT)
_FILE = responses(
    STRING, 404, content_type="text/javascript", headers=response_headers.OF_PAGE_FILE
)
_FILE["200"]["content"] |= {"text/css": {"schema": STRING}, "image/svg+xml": {"schema": STRING}}


def _unchanged(described: dict[str, Any]) -> dict[str, Any]:
    return described | {
        "304": {
            "description": "It is what If-None-Match names.",
            "headers": described["200"]["headers"],
            "content": {},
        }
    }


# By endpoint and method.
PAGE: dict[tuple[str, str], dict[str, Any]] = {
    ("page.at_model", "GET"): {"summary": "The page, opened at the model", "responses": _PAGE},
    ("page.file", "GET"): {
        "summary": "A file of the page",
        "parameters": [
            {"name": "file", "in": "path", "required": True, "schema": {"type": "string"}}
        ],
        "responses": _unchanged(_FILE),
    },
    ("overview.overview", "GET"): {
        "summary": "What the page shows of all models; cheap to ask for often",
        "responses": _unchanged(responses(_OVERVIEW, headers=response_headers.OF_POLLED)),
    },
    ("code.as_code", "POST"): {
        "summary": "A request as code to copy, in several languages",
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ASKED}}},
        "responses": responses(_SAMPLES, 400, 404, 408, 413, 415, 503),
    },
    ("overview.one_version", "GET"): {
        "summary": "What the page shows of a version: contract, card and golden examples",
        "responses": _unchanged(responses(_VERSION, 404, 503, headers=response_headers.OF_POLLED)),
    },
}
