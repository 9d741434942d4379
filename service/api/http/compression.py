"""Answers packed with gzip or deflate, for clients that ask for it."""

import zlib

from service.api.http.responses import Answer

# Below this an answer fits into one packet anyway.
_LEAST_BYTES = 1400
# The fastest: with JSON numbers the slower levels gain little.
_LEVEL = 1
# The ways to pack, in the order of preference, with zlib's number for the format (RFC 9110, 8.4.1).
_WINDOWS = {"gzip": 31, "deflate": 15}
_ALIASES = {"x-gzip": "gzip"}


def compressed(answer: Answer, accepted: str) -> Answer:
    """Return ``answer`` packed, if that is asked for and worth while.

    Args:
        answer: any answer.
        accepted: the request's ``Accept-Encoding``; empty when there is none.
    """
    if len(answer.body) < _LEAST_BYTES or not accepted:
        return answer
    taken = _taken(accepted)
    encoding = next((name for name in _WINDOWS if name in taken), None)
    if encoding is None:
        return answer
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOWS[encoding])
    body = packer.compress(answer.body) + packer.flush()
    vary = ", ".join(filter(None, (answer.headers.get("Vary"), "Accept-Encoding")))
    headers = {**answer.headers, "Content-Encoding": encoding, "Vary": vary}
    return Answer(body, answer.content_type, answer.status, headers)


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
