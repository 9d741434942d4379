"""The heads of predictions, read strictly: what is unusual is left to gunicorn's parser.

A client sends the same head again and again, so what was read of one is kept. What differs from
request to request, its id and its trace, is read apart.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.api.inference.prediction_loop import Route

END = b"\r\n\r\n"
# gunicorn's own limits (limit_request_line, limit_request_fields, limit_request_field_size).
_MOST_LINE = 4094
_MOST_FIELDS = 100
_MOST_FIELD = 8190
# Heads kept, and the longest of them: a few hundred KiB in all.
_KEPT = 512
_LONGEST_KEPT = 1024

_TOKEN = rb"[!#$%&'*+\-.^`|~0-9A-Za-z]+"  # RFC 9110, 5.6.2; without "_", which gunicorn drops.
_HEAD = re.compile(
    rb"POST (/v[12]/models/[0-9A-Za-z._~!$&'()*+,;=:@/?-]+) HTTP/1\.1\r\n"
    rb"((?:" + _TOKEN + rb":[^\x00-\x08\x0a-\x1f\x7f]*\r\n)+)\r\n"
)
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(?::[0-9]*)?")
_LENGTH = re.compile(rb"[0-9]{1,10}")
# What changes how a request is read, or who answers it.
_UNUSUAL = (b"transfer-encoding", b"expect", b"upgrade", b"http2-settings", b"te", b"trailer")
# Of these gunicorn wants no contradiction; one alone has none.
_SCHEMES = {b"x-forwarded-protocol", b"x-forwarded-proto", b"x-forwarded-ssl"}
# Lines that are new with each request of a client, and say nothing of how it is read.
_OWN_LINE = re.compile(
    rb"\r\n((?i:x-request-id|traceparent|tracestate)):([^\x00-\x08\x0a-\x1f\x7f]*)(?=\r\n)"
)
_OWN = {
    b"x-request-id": "HTTP_X_REQUEST_ID",
    b"traceparent": "HTTP_TRACEPARENT",
    b"tracestate": "HTTP_TRACESTATE",
}
_CONNECTION = {b"keep-alive": False, b"close": True}

FindRoute = Callable[[str, str], Route | None]


@dataclass(frozen=True, slots=True)
class PredictionHead:
    """The head of a request to predict.

    Attributes:
        route: where its path leads.
        environ: its line and headers, as WSGI names them.
        length: the bytes of its body.
        closes: whether the client wants the connection to end with the answer.
    """

    route: Route
    environ: Mapping[str, Any]
    length: int
    closes: bool


class HeadReader:
    """Reads heads; one object a worker."""

    def __init__(self, find_route: FindRoute) -> None:
        """A reader that has read nothing.

        Args:
            find_route: returns where a method and a path lead.
        """
        self._find_route = find_route
        self._known: dict[bytes, PredictionHead] = {}

    def read(self, head: bytes) -> PredictionHead | None:
        """Return what a head says; ``None`` unless it is a plain one of a prediction.

        Args:
            head: all of it, with the empty line at its end.
        """
        known = self._known.get(head)
        if known is not None:
            return known
        # What is between the lines, and each line's name and value.
        parts = _OWN_LINE.split(head)
        if len(parts) == 1:
            return self._read(head)
        own = {
            _OWN[name.lower()]: value.strip(b" \t").decode("latin-1")
            for name, value in zip(parts[1::3], parts[2::3], strict=True)
        }
        if (
            3 * len(own) + 1 != len(parts)
            or head.count(b"\r\n") > _MOST_FIELDS
            or len(head) > _MOST_FIELD
        ):
            return self._parse(head)
        rest = self._read(b"".join(parts[::3]))
        if rest is None:
            return None
        return PredictionHead(rest.route, {**rest.environ, **own}, rest.length, rest.closes)

    def _read(self, head: bytes) -> PredictionHead | None:
        """Return what a head says, which may be known."""
        known = self._known.get(head)
        if known is None:
            known = self._parse(head)
            if known is not None and len(head) <= _LONGEST_KEPT:
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[head] = known
        return known

    def _parse(self, head: bytes) -> PredictionHead | None:
        found = _HEAD.fullmatch(head)
        if found is None or len(found[1]) > _MOST_LINE - len("POST  HTTP/1.1"):
            return None
        lines = found[2].split(b"\r\n")[:-1]
        fields: dict[bytes, bytes] = {}
        for line in lines:
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip(b" \t")
        if (
            len(fields) != len(lines)
            or len(lines) > _MOST_FIELDS
            or max(map(len, lines)) > _MOST_FIELD
            or any(name in fields for name in _UNUSUAL)
            or len(_SCHEMES & fields.keys()) > 1
            or not _HOST.fullmatch(fields.get(b"host", b""))
            or not _LENGTH.fullmatch(fields.get(b"content-length", b""))
        ):
            return None
        closes = _CONNECTION.get(fields.get(b"connection", b"keep-alive").lower())
        path, _, query = found[1].decode("ascii").partition("?")
        route = self._find_route("POST", path)
        if closes is None or route is None:
            return None
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": query}
        for name, value in fields.items():
            key = name.decode("ascii").upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = f"HTTP_{key}"
            environ[key] = value.decode("latin-1")
        return PredictionHead(route, environ, int(fields[b"content-length"]), closes)
