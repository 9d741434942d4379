"""What HTTP asks of a request's head, where the server that hosts the application lets it pass."""

import re
from collections.abc import Mapping
from typing import Any

from service.errors import InvalidRequestError, ServiceError

# A name or an address, and a port (RFC 3986, 3.2.2). Of the characters of a name, the comma is left
# out: some servers join what several Host headers say with it.
_HOST = re.compile(r"(?:\[[0-9A-Za-z:.%]+\]|[0-9A-Za-z._~!$&'()*+;=%-]*)(?::[0-9]*)?")


def check_head(environ: Mapping[str, Any]) -> None:
    """Check what RFC 9112 demands of every request (3.2 and 6.1).

    Raises:
        InvalidRequestError: the Host header is missing or wrong.
        ServiceError: 501, the body is sent in a coding that is not known here.
    """
    host = environ.get("HTTP_HOST")
    if host is None:
        if environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
            raise InvalidRequestError("Expected a Host header, as in every request of HTTP/1.1.")
    elif not _HOST.fullmatch(host):
        raise InvalidRequestError(f"Expected a host in the Host header, not {host[:60]!r}.")
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    if coding is not None and coding.strip().lower() != "chunked":
        raise ServiceError(
            f"Expected a Transfer-Encoding of chunked alone, not {coding[:60]!r}.", status=501
        )
