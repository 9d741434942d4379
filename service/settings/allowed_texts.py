"""Which texts a setting can take: a host, a name, an origin, a network, a path, a token."""

import ipaddress
import re

# A name, or all names below one; an address of IPv6 in brackets, as in URLs.
_HOST = re.compile(r"(\*\.)?[0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\]")
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[0-9A-Za-z.\[\]:_-]+")
# Paths that have answers of their own, or below which there are such.
_TAKEN_PATHS = re.compile(r"/(v1|v2|models|ui|docs)(/.*)?|/(livez|readyz|openapi\.json)")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def is_host(text: str) -> bool:
    """Whether a text names a host, or with ``*.`` before it all hosts below a name."""
    return _HOST.fullmatch(text) is not None


def is_origin(text: str) -> bool:
    """Whether a text is an origin, as browsers send them, or ``*``, which is any."""
    return _ORIGIN.fullmatch(text) is not None


def is_network(text: str) -> bool:
    """Whether a text is an address or a network of IPv4 or IPv6."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def is_token(text: str) -> bool:
    """Whether a text can be a token: blanks around one do not count, so they are none."""
    return bool(text.strip())


def is_name(text: str) -> bool:
    """Whether a text can name something in answers, metrics and a database.

    Bytes that are no UTF-8 cannot: the environment has them as halves of characters.
    """
    return text.isprintable() and bool(text.strip())


def is_free_path(text: str) -> bool:
    """Whether a request's path can be given to something that has none of its own."""
    return _PATH.fullmatch(text) is not None and _TAKEN_PATHS.fullmatch(text) is None
