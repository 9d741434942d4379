"""The query of a request."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs


def signature_name(environ: Mapping[str, Any]) -> str | None:
    """Return the signature that the query asks for (``?signature_name=``), if any."""
    query = environ.get("QUERY_STRING")
    return parse_qs(query).get("signature_name", [None])[0] if query else None
