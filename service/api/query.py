"""What a request's query may say."""

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def signature_name(environ: "WSGIEnvironment") -> str | None:
    """Return the signature that the query asks for (``?signature_name=``), if any."""
    query = environ.get("QUERY_STRING")
    return parse_qs(query).get("signature_name", [None])[0] if query else None
