"""The query of a request."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from service.errors import InvalidRequestError


def signature_name(environ: Mapping[str, Any]) -> str | None:
    """Return the signature that the query asks for (``?signature_name=``), if any.

    Raises:
        InvalidRequestError: it names two.
    """
    return query_value(environ, "signature_name") or None


def query_value(environ: Mapping[str, Any], name: str) -> str | None:
    """Return the value of a parameter of the query; ``None`` where it has none.

    Args:
        environ: the request's.
        name: the parameter's.

    Raises:
        InvalidRequestError: the parameter stands twice, perhaps with another value.
    """
    query = environ.get("QUERY_STRING")
    if not query:
        return None
    values = parse_qs(query, keep_blank_values=True).get(name, [])
    if len(values) > 1:
        raise InvalidRequestError(f"{name}: Expected one value in the query, not {len(values)}.")
    return values[0] if values else None
