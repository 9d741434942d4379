"""Responses compressed with gzip or deflate, for clients that accept it."""

import zlib

from service.api.http.responses import Response

# A smaller response fits into one packet anyway.
_LEAST_BYTES = 1400
# The fastest: with JSON numbers the slower levels gain little.
_LEVEL = 1
# The ways to pack, in the order of preference, with zlib's number for the format (RFC 9110, 8.4.1).
_WINDOWS = {"gzip": 31, "deflate": 15}
_ALIASES = {"x-gzip": "gzip"}


def compressed(response: Response, accepted: str) -> Response:
    """Return ``response`` compressed, if the client accepts that and it is worth it.

    Args:
        answer: any response.
        accepted: the request's ``Accept-Encoding``; empty without one.
    """
    if len(response.body) < _LEAST_BYTES or not accepted:
        return response
    taken = _taken(accepted)
    encoding = next((name for name in _WINDOWS if name in taken), None)
    if encoding is None:
        return response
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOWS[encoding])
    body = packer.compress(response.body) + packer.flush()
    vary = ", ".join(filter(None, (response.headers.get("Vary"), "Accept-Encoding")))
    headers = {**response.headers, "Content-Encoding": encoding, "Vary": vary}
    return Response(body, response.content_type, response.status, headers)


def _taken(accepted: str) -> set[str]:
    """Return the names in the header that have a weight above 0 (RFC 9110, 12.5.3)."""
    taken = set()
    for item in accepted.split(","):
        name, _, parameter = item.partition(";")
        key, _, weight = parameter.partition("=")
        if key.strip().lower() != "q" or weight.strip(" 0.") != "":
            name = name.strip().lower()
            taken.add(_ALIASES.get(name, name))
    return taken
