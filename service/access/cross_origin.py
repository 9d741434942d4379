"""Pages of other origins that may use this service (CORS, as the Fetch standard has it)."""

from collections.abc import Iterable, Mapping
from typing import Any

ANY_ORIGIN = "*"
_METHODS = "GET, HEAD, POST"
# What clients of both protocols send, and what they may read besides the body.
_REQUEST_HEADERS = (
    "Authorization, Content-Type, Content-Encoding, If-None-Match, "
    "Inference-Header-Content-Length, Traceparent, Tracestate, X-API-Key, X-Request-Id, "
    "X-Request-Timeout-Ms, X-Routing-Key"
)
_RESPONSE_HEADERS = (
    "ETag, Inference-Header-Content-Length, Retry-After, Server-Timing, Traceresponse, "
    "X-Model-Version, X-Request-Id"
)
# Browsers leave these out of Origin (RFC 6454, 6.2).
_USUAL_PORTS = {"http": ":80", "https": ":443"}
# How long a browser may remember the answer to a preflight, in seconds.
_REMEMBERED_S = 600


class CrossOrigin:
    """The origins whose pages may read answers.

    No answer allows credentials (cookies, client certificates): keys are sent by scripts that have
    them.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        """The rules for these origins.

        Args:
            origins: such as ``https://example.org``; ``*`` for all; empty for none.
        """
        self._origins = frozenset(_normal(origin) for origin in origins)
        self._is_open = ANY_ORIGIN in self._origins

    def __bool__(self) -> bool:
        return bool(self._origins)

    def headers(self, environ: Mapping[str, Any]) -> dict[str, str]:
        """Return the headers of an answer; none while no origin is allowed."""
        if not self._origins:
            return {}
        origin: str = environ.get("HTTP_ORIGIN", "")
        # A cache must not give one origin's answer to another.
        headers = {} if self._is_open else {"Vary": "Origin"}
        if origin and (self._is_open or _normal(origin) in self._origins):
            headers["Access-Control-Allow-Origin"] = ANY_ORIGIN if self._is_open else origin
            headers["Access-Control-Expose-Headers"] = _RESPONSE_HEADERS
        return headers

    def preflight(self, environ: Mapping[str, Any]) -> dict[str, str] | None:
        """Return a preflight's headers beside ``headers``; ``None`` if it is another request."""
        is_preflight = (
            self._origins
            and environ.get("REQUEST_METHOD") == "OPTIONS"
            and "HTTP_ORIGIN" in environ
            and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
        )
        if not is_preflight:
            return None
        if "Access-Control-Allow-Origin" not in self.headers(environ):
            return {}
        return {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _REQUEST_HEADERS,
            "Access-Control-Max-Age": str(_REMEMBERED_S),
        }


def _normal(origin: str) -> str:
    """Return an origin as it is compared: in small letters, without its scheme's usual port."""
    origin = origin.lower()
    return origin.removesuffix(_USUAL_PORTS.get(origin.partition(":")[0], ""))
