"""The headers that answers carry, beside those that every HTTP server sends."""

from typing import Any

Headers = dict[str, Any]

_TEXT = {"type": "string"}
_WHOLE = {"type": "string", "pattern": "^[0-9]+$"}
_MEANINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Request-Id": ("The request's id: the client's own, or a new one.", _TEXT),
    "X-Model-Version": ("The version that answers.", _WHOLE),
    "Server-Timing": ("What the phases of a prediction took, in milliseconds.", _TEXT),
    "traceresponse": (
        "The trace and the span of the request, where traceparent came or traces are exported.",
        {"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    ),
    "Content-Encoding": (
        "How the body is packed, where Accept-Encoding asks for it and the body is large.",
        {"enum": ["gzip", "deflate"]},
    ),
    "Vary": ("The request's headers that the form of the answer hangs on.", _TEXT),
    "Accept-Encoding": ("How a body may be packed, where one is packed otherwise.", _TEXT),
    "Retry-After": ("In how many seconds to come back.", _WHOLE),
    "Allow": ("The methods that the path has.", _TEXT),
    "WWW-Authenticate": ("How to show the API key or the admin token.", _TEXT),
    "ETag": ("The same for contents that are the same; If-Match and If-None-Match take it.", _TEXT),
    "Inference-Header-Content-Length": (
        "How many bytes of JSON come before the binary data, where there is some.",
        _WHOLE,
    ),
    "Cache-Control": ("Whether a copy may be used without asking.", _TEXT),
    "Content-Security-Policy": ("What the page may load: nothing from elsewhere.", _TEXT),
    "X-Content-Type-Options": (
        "That the content has the type that Content-Type names.",
        {"const": "nosniff"},
    ),
}
# The components; a header that an answer must carry has one of its own.
COMPONENTS: Headers = {
    **{name: {"description": text, "schema": schema} for name, (text, schema) in _MEANINGS.items()},
    **{
        f"Required-{name}": {"description": text, "schema": schema, "required": True}
        for name, (text, schema) in _MEANINGS.items()
    },
}
_OF_ERRORS = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def headers(*, always: tuple[str, ...] = (), perhaps: tuple[str, ...] = ()) -> Headers:
    """Return the headers of an answer, as references to components.

    Args:
        always: those that it carries beside its request's id.
        perhaps: those that it may carry.
    """
    return {
        **{name: _ref(f"Required-{name}") for name in ("X-Request-Id", *always)},
        **{name: _ref(name) for name in ("traceresponse", *perhaps)},
    }


PLAIN = headers()
OF_VERSION = headers(always=("X-Model-Version",))
PACKED = headers(perhaps=("Content-Encoding", "Vary"))
OF_PREDICTION = headers(
    always=("X-Model-Version", "Server-Timing"), perhaps=("Content-Encoding", "Vary")
)
OF_BYTES = OF_PREDICTION | headers(perhaps=("Inference-Header-Content-Length",))
OF_POLICY = headers(always=("ETag",))
OF_EVENTS = PACKED | headers(always=("Cache-Control",))
OF_PAGE = PACKED | headers(always=("Content-Security-Policy", "X-Content-Type-Options"))
OF_ROOT = OF_PAGE | headers(always=("Vary",), perhaps=("Cache-Control",))
OF_POLLED = PACKED | headers(always=("ETag", "Cache-Control"))
OF_PAGE_FILE = OF_PAGE | OF_POLLED


def error_headers(status: int) -> Headers:
    """Return the headers of an error of a status."""
    always = (_OF_ERRORS[status],) if status in _OF_ERRORS else ()
    perhaps = ("Accept-Encoding",) if status == 415 else ()
    perhaps = ("X-Model-Version", "Server-Timing", "Content-Encoding", "Vary", *perhaps)
    return headers(always=always, perhaps=perhaps)
