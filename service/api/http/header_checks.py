"""What HTTP demands of a request's headers, where the server that hosts us does not check it."""

import re
from collections.abc import Mapping
from typing import Any

from service.errors import InvalidRequestError, ServiceError

# A name or an address, and a port (RFC 3986, 3.2.2). Of the characters of a name, the comma is left
# out: some servers join what several Host headers say with it.
_HOST = re.compile(r"(?:\[[0-9A-Za-z:.%]+\]|[0-9A-Za-z._~!$&'()*+;=%-]*)(?::[0-9]*)?")
# Far more than any client sends; more than the usual proxies let pass.
_MOST_BYTES = 64 * 1024


def check_headers(environ: Mapping[str, Any]) -> None:
    """Check what RFC 9112 demands of every request (3.2 and 6.1).

    Raises:
        InvalidRequestError: the Host header is missing or wrong.
        ServiceError: 501, the body is sent in a coding that is not known here; 417, the client
            expects what is not known here; 431, the headers are too large.
    """
    host = environ.get("HTTP_HOST")
    if host is None:
        if environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
            raise InvalidRequestError("Expected a Host header, as in every request of HTTP/1.1.")
    elif not _HOST.fullmatch(host):
        raise InvalidRequestError(f"Expected a host in the Host header, not {host[:60]!r}.")
    expected = environ.get("HTTP_EXPECT")
    if expected is not None and expected.strip().lower() != "100-continue":
        raise ServiceError(
            "The Expect header asks for something that this service does not support: expected "
            f"100-continue, not {expected[:60]!r}.",
            status=417,
        )
    size = sum(len(name) + len(value) for name, value in environ.items() if isinstance(value, str))
    if size > _MOST_BYTES:
        raise ServiceError(
            f"The request's headers are too large: {size} bytes, and {_MOST_BYTES} are allowed.",
            status=431,
        )
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    if coding is not None and coding.strip().lower() != "chunked":
        raise ServiceError(
            f"Expected a Transfer-Encoding of chunked alone, not {coding[:60]!r}.", status=501
        )
