"""gzip of answers, for clients that ask for it."""

import zlib

from service.api.answer import Answer

# Below this an answer fits into one packet anyway.
_LEAST_BYTES = 1400
# The fastest: with JSON numbers the slower levels gain little.
_LEVEL = 1
_GZIP = 31


def compressed(answer: Answer, accepted: str) -> Answer:
    """Return ``answer`` packed with gzip, if that is asked for and worth while.

    Args:
        answer: any answer.
        accepted: the request's ``Accept-Encoding``; empty when there is none.
    """
    if len(answer.body) < _LEAST_BYTES or not _takes_gzip(accepted):
        return answer
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    body = packer.compress(answer.body) + packer.flush()
    headers = {**answer.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Answer(body, answer.content_type, answer.status, headers)


def _takes_gzip(accepted: str) -> bool:
    """Whether the header names gzip with a weight above 0 (RFC 9110, 12.5.3)."""
    for item in accepted.split(","):
        name, _, parameter = item.partition(";")
        if name.strip().lower() in ("gzip", "x-gzip"):
            key, _, weight = parameter.partition("=")
            return key.strip().lower() != "q" or weight.strip(" 0.") != ""
    return False
